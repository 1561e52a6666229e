import inspect

import pytest

from dartblur import errors

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind is not errors.DartblurError
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_either_the_call_or_one_input(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.DartblurError)
    assert issubclass(kind, errors.UsageError) != issubclass(kind, errors.InputError)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_in_the_docstring_names_every_error(kind: type[Exception]) -> None:
    assert kind.__name__ in str(errors.__doc__)
    assert kind.__doc__

from pathlib import Path

import pytest

from dartblur.records import Record


@pytest.mark.parametrize(
    ("error", "published"),
    [
        ("/home/me/in/sub/a.jpg: not a picture", "sub/a.jpg: not a picture"),
        ("/home/me/out/sub/a.jpg: exists", "sub/a.jpg: exists"),
        ("a link out of the folder, to /srv/x y/secret.jpg; name it", "secret.jpg; name it"),
        ("JPEG, 16/8 bits and/or (1/2)", "JPEG, 16/8 bits and/or (1/2)"),
    ],
)
def test_a_published_record_names_no_place(error: str, published: str) -> None:
    record = Record("sub/a.jpg", "/home/me/in/sub/a.jpg", "failed", error=error)
    made = record.published(Path("/home/me/out"))
    assert made.source == "sub/a.jpg"
    assert str(made.error).endswith(published)
    assert "/home" not in str(made.error)
    assert "/srv" not in str(made.error)


def test_the_source_of_a_renamed_file_is_its_name_alone() -> None:
    record = Record("safe.jpg", "/home/me/photo.jpg", "done", notes=("/home/me/photo.jpg: cut",))
    made = record.published(Path("/tmp"))
    assert (made.source, made.notes) == ("photo.jpg", ("photo.jpg: cut",))

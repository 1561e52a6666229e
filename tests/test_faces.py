import numpy as np
import pytest

from dartblur import Faces


def test_defaults_are_labels() -> None:
    faces = Faces([[1, 2, 3, 4], [0, 0, 5, 5]])  # type: ignore[arg-type]
    assert faces.boxes.dtype == np.float32
    assert faces.scores.tolist() == [1, 1]
    assert faces.ignore.tolist() == [False, False]
    assert len(faces) == 2


def test_arrays_are_copied_and_read_only() -> None:
    boxes = np.array([[0, 0, 2, 2]], np.float32)
    faces = Faces(boxes)
    boxes[:] = 9
    assert faces.boxes.tolist() == [[0, 0, 2, 2]]
    with pytest.raises(ValueError, match="read-only"):
        faces.boxes[0, 0] = 1


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 4)), np.zeros(0)])
def test_no_faces_in_any_spelling(nothing: object) -> None:
    faces = Faces(nothing)  # type: ignore[arg-type]
    assert faces.boxes.shape == (0, 4)
    assert faces == Faces.empty()


@pytest.mark.parametrize(
    ("boxes", "scores", "ignore", "message"),
    [
        ([[1, 2, 3]], None, None, r"shape \(N, 4\)"),
        ([1, 2, 3, 4], None, None, r"shape \(N, 4\)"),
        ([[0, 0, np.nan, 1]], None, None, "finite"),
        ([[0, 0, np.inf, 1]], None, None, "finite"),
        ([[2, 0, 1, 1]], None, None, "inverted"),
        ([[0, 2, 1, 1]], None, None, "inverted"),
        ([[0, 0, 1, 1]], [1.5], None, r"\[0, 1\]"),
        ([[0, 0, 1, 1]], [-0.1], None, r"\[0, 1\]"),
        ([[0, 0, 1, 1]], [np.nan], None, r"\[0, 1\]"),
        ([[0, 0, 1, 1]], [0.5, 0.5], None, r"scores must have shape \(1,\)"),
        ([[0, 0, 1, 1]], None, [], r"ignore must have shape \(1,\)"),
    ],
)
def test_wrong_faces_are_refused(
    boxes: object, scores: object, ignore: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Faces(boxes, scores, ignore)  # type: ignore[arg-type]


def test_choosing_keeps_all_columns_together() -> None:
    faces = Faces(
        np.arange(12).reshape(3, 4), np.array([0.1, 0.2, 0.3]), np.array([True, False, True])
    )
    chosen = faces[np.array([2, 0])]
    assert chosen.boxes.tolist() == [[8, 9, 10, 11], [0, 1, 2, 3]]
    assert np.allclose(chosen.scores, [0.3, 0.1])
    assert chosen.ignore.tolist() == [True, True]
    assert faces[:1] == faces[np.array([True, False, False])]
    assert len(faces[np.zeros(3, bool)]) == 0


def test_concatenating_keeps_order_and_columns() -> None:
    a = Faces([[0, 0, 1, 1]], [0.25], [True])  # type: ignore[arg-type]
    b = Faces([[2, 2, 3, 3], [4, 4, 5, 5]], [0.5, 0.75])  # type: ignore[arg-type]
    both = Faces.concatenate(iter([a, Faces.empty(), b]))
    assert both.boxes[:, 0].tolist() == [0, 2, 4]
    assert both.scores.tolist() == [0.25, 0.5, 0.75]
    assert both.ignore.tolist() == [True, False, False]
    assert Faces.concatenate([]) == Faces.empty()


def test_other_boxes_keep_scores_and_are_checked() -> None:
    faces = Faces([[0, 0, 1, 1]], [0.25], [True])  # type: ignore[arg-type]
    moved = faces.with_boxes(np.array([[5, 5, 6, 6]], np.float32))
    assert (moved.scores.tolist(), moved.ignore.tolist()) == ([0.25], [True])
    with pytest.raises(ValueError, match="inverted"):
        faces.with_boxes(np.array([[5, 5, 4, 6]], np.float32))


def test_equality_compares_every_column() -> None:
    one = Faces([[0, 0, 1, 1]])  # type: ignore[arg-type]
    assert one == Faces([[0, 0, 1, 1]])  # type: ignore[arg-type]
    assert one != Faces([[0, 0, 1, 1]], [0.5])  # type: ignore[arg-type]
    assert one != Faces([[0, 0, 1, 1]], None, [True])  # type: ignore[arg-type]
    assert one != Faces.empty()
    assert one != "a face"

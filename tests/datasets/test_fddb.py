"""FDDB in its official layout, made small."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from dartblur.datasets import FORMATS
from dartblur.datasets.fddb import FOLDS, extents, read_ellipses
from dartblur.errors import BoxesError, PictureError, UsageError

UPRIGHT = "30.0 20.0 1.5707963267948966 100.0 80.0  1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folds = tmp_path / "FDDB-folds"
    folds.mkdir()
    for fold in FOLDS:
        name = f"2002/08/{fold:02}/big/img_{fold}"
        image = tmp_path / "originalPics" / f"{name}.jpg"
        image.parent.mkdir(parents=True)
        image.touch()
        rows = [UPRIGHT, "10 5 0.0 20 20 1"][: fold % 3]
        text = "\n".join([name, str(len(rows)), *rows]) + "\n"
        (folds / f"FDDB-fold-{fold:02}-ellipseList.txt").write_text(text)
    return tmp_path


def test_all_folds_come_in_order_with_the_extent_of_each_ellipse(root: Path) -> None:
    samples = list(FORMATS["fddb"].read(root, "all"))
    assert [s.image.name for s in samples] == [f"img_{fold}.jpg" for fold in FOLDS]
    assert [len(s.faces) for s in samples] == [fold % 3 for fold in FOLDS]
    np.testing.assert_allclose(samples[0].faces.boxes, [[80, 50, 120, 110]], atol=1e-4)
    np.testing.assert_allclose(samples[1].faces.boxes[1], [10, 15, 30, 25], atol=1e-4)


def test_one_fold_alone(root: Path) -> None:
    (sample,) = FORMATS["fddb"].read(root, "2")
    assert sample.image == root / "originalPics/2002/08/02/big/img_2.jpg"
    (picture,) = read_ellipses(root, "2")
    np.testing.assert_array_equal(picture.ellipses[1], [10, 5, 0, 20, 20])


def test_pictures_may_lie_beside_the_folds(root: Path) -> None:
    (root / "originalPics/2002").rename(root / "2002")
    assert [s.image.name for s in FORMATS["fddb"].read(root, "1")] == ["img_1.jpg"]


def test_the_lists_alone_are_enough_for_ellipses(root: Path) -> None:
    image = root / "originalPics/2002/08/02/big/img_2.jpg"
    Pillow.new("RGB", (40, 30)).save(image)
    (there,) = read_ellipses(root, "2")
    assert there.name == "2002/08/02/big/img_2"
    assert there.size() == (30, 40)
    image.write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"img_2\.jpg"):
        there.size()
    image.unlink()
    (gone,) = read_ellipses(root, "2")
    assert gone.size() is None
    with pytest.raises(BoxesError, match=r"img_2\.jpg"):
        list(FORMATS["fddb"].read(root, "2"))


@given(st.floats(1, 50), st.floats(1, 50), st.floats(-4, 4), st.floats(-90, 90), st.floats(-90, 90))
def test_the_extent_touches_the_ellipse_on_every_side(
    major: float, minor: float, angle: float, x: float, y: float
) -> None:
    t = np.linspace(0, 2 * np.pi, 20_001)
    along, across = major * np.cos(t), minor * np.sin(t)
    xs = x + along * np.cos(angle) - across * np.sin(angle)
    ys = y + along * np.sin(angle) + across * np.cos(angle)
    outline = [xs.min(), ys.min(), xs.max(), ys.max()]
    box = extents(np.array([[major, minor, angle, x, y]]))[0]
    np.testing.assert_allclose(box, outline, atol=1e-4)


def test_the_official_lists_are_read_whole() -> None:
    lists = Path(__file__).parents[3] / "shared/data/fddb"
    if not lists.is_dir():
        pytest.skip("FDDB's lists are not here")
    listed = list(FORMATS["fddb"].labels(lists, "all", ()))
    # As FDDB's authors count them.
    assert len(listed) == 2845
    assert sum(len(labelled.faces()) for labelled in listed) == 5171


@pytest.mark.parametrize("split", ["train", "0", "11", "fold"])
def test_an_unknown_split_is_refused(root: Path, split: str) -> None:
    with pytest.raises(UsageError, match=split):
        list(FORMATS["fddb"].read(root, split))


NAME = "2002/08/01/big/img_1"
WRONG = {
    "no count": (f"{NAME}\n", 2),
    "count no number": (f"{NAME}\nx\n{UPRIGHT}\n", 2),
    "too few": (f"{NAME}\n2\n{UPRIGHT}\n", 2),
    "a value short": (f"{NAME}\n1\n30 20 1.5 100 80\n", 3),
    "no number": (f"{NAME}\n2\n{UPRIGHT}\n30 20 x 100 80 1\n", 4),
    "NaN": (f"{NAME}\n1\n30 20 nan 100 80 1\n", 3),
    "no axis": (f"{NAME}\n1\n30 0 1.5 100 80 1\n", 3),
    "an axis beyond all pictures": (f"{NAME}\n1\n1e9 20 1.5 100 80 1\n", 3),
    "a picture that is not there": (f"{NAME}\n1\n{UPRIGHT}\n2002/none\n0\n", 4),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_list_is_named_with_its_line(root: Path, kind: str) -> None:
    content, line = WRONG[kind]
    path = root / "FDDB-folds/FDDB-fold-01-ellipseList.txt"
    path.write_text(content)
    with pytest.raises(BoxesError, match=re.escape(f"{path}:{line}")):
        list(FORMATS["fddb"].read(root, "1"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_list_that_cannot_be_read_is_named(root: Path, content: bytes | None) -> None:
    path = root / "FDDB-folds/FDDB-fold-07-ellipseList.txt"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BoxesError, match=re.escape(str(path))):
        list(FORMATS["fddb"].read(root, "all"))

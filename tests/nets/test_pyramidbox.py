"""PyramidBox: its size layer by layer, its anchors, and boxes there and back."""

from __future__ import annotations

import pytest
import torch

from dartblur.nets.anchors import corners, encode
from dartblur.nets.pyramidbox import STRIDES, PyramidBox, Raw, anchors, max_in_out

VGG16_CONVOLUTIONS = 14_714_688
"""Published: weights and biases of the thirteen layers, whose outputs have 4,224 channels."""


def conv(inputs: int, outputs: int, kernel: int) -> int:
    """Parameters of a convolution without bias and its batch normalization."""
    return inputs * outputs * kernel**2 + 2 * outputs


def context(inputs: int) -> int:
    residual = conv(inputs, 256, 1) + conv(256, 256, 3) + conv(256, 1024, 1)
    views = conv(1024, 256, 3) + conv(1024, 128, 3) + 3 * conv(128, 128, 3)
    head = 512 * 9 * 20 + 20
    return conv(inputs, 1024, 1) + residual + views + head


def test_parameters_are_those_of_the_layers() -> None:
    bridge = conv(512, 1024, 3) + conv(1024, 1024, 1)
    extra = conv(1024, 256, 1) + conv(256, 512, 3) + conv(512, 128, 1) + conv(128, 256, 3)
    join = conv(1024, 512, 1) + conv(512, 512, 1) + conv(512, 512, 1) + conv(512, 512, 1)
    join += conv(512, 256, 1) + conv(256, 256, 1)
    scales = 256 + 512 + 512
    contexts = sum(context(c) for c in (256, 512, 512, 1024, 512, 256))
    with torch.device("meta"):
        net = PyramidBox()
    stages = sum(p.numel() for p in net.stages.parameters())
    assert stages == VGG16_CONVOLUTIONS + 4_224
    total = sum(p.numel() for p in net.parameters())
    assert total == stages + bridge + extra + join + scales + contexts


@pytest.mark.parametrize(("height", "width"), [(128, 192), (99, 161)])
def test_any_size_gives_one_anchor_a_cell(height: int, width: int) -> None:
    net = PyramidBox(1 / 16).eval()
    with torch.no_grad():
        raw = net(torch.rand(2, 3, height, width) * 255)
    cells = sum(-(-height // s) * -(-width // s) for s in STRIDES)
    assert raw.logits.shape == (2, cells, 3, 2)
    assert raw.offsets.shape == (2, cells, 3, 4)
    assert raw.anchors.shape == (cells, 4)
    found = net.candidates(raw)
    assert found.boxes.shape == (2, cells, 4)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_anchors_are_squares_of_four_strides_in_the_middle_of_each_cell() -> None:
    shapes = [torch.Size((8 >> i or 1, 16 >> i or 1)) for i in range(6)]
    boxes = anchors(shapes)
    assert boxes[0].tolist() == [2, 2, 16, 16]
    assert boxes[1].tolist() == [6, 2, 16, 16]
    assert boxes[16].tolist() == [2, 6, 16, 16]
    assert boxes[8 * 16].tolist() == [4, 4, 32, 32]
    assert boxes[-1].tolist() == [64, 64, 512, 512]


def test_max_in_out_is_strict_where_it_is_fine_and_kind_elsewhere() -> None:
    ways = torch.tensor([[1.0, 4, 2, 3]])
    assert max_in_out(ways, finest=True).tolist() == [[4, 3]]
    assert max_in_out(ways, finest=False).tolist() == [[1, 4]]


def test_boxes_there_and_back() -> None:
    net = PyramidBox(1 / 16)
    priors = anchors([torch.Size((4 >> i or 1, 4 >> i or 1)) for i in range(6)])
    boxes = corners(priors) + torch.rand(len(priors), 4) * 3
    offsets = torch.zeros(1, len(priors), 3, 4)
    offsets[0, :, 0] = encode(boxes, priors)
    found = net.candidates(Raw(torch.zeros(1, len(priors), 3, 2), offsets, priors))
    torch.testing.assert_close(found.boxes[0], boxes, atol=1e-3, rtol=1e-5)
    assert (found.scores == 0.5).all()

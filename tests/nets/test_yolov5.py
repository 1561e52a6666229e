"""YOLOv5: its size layer by layer, its shapes, and boxes there and back."""

from __future__ import annotations

import pytest
import torch

from dartblur.nets.base import faces_among
from dartblur.nets.yolov5 import ANCHORS, STRIDES, VALUES, Size, YoloV5, decode


def conv(inputs: int, outputs: int, kernel: int) -> int:
    """Parameters of a convolution without bias and its batch normalization."""
    return inputs * outputs * kernel**2 + 2 * outputs


def c3(inputs: int, outputs: int, repeats: int) -> int:
    half = outputs // 2
    block = conv(half, half, 1) + conv(half, half, 3)
    return 2 * conv(inputs, half, 1) + repeats * block + conv(outputs, outputs, 1)


def by_hand(c: int, repeats: tuple[int, int, int, int]) -> int:
    backbone = conv(3, c, 6) + sum(
        conv(c * 2**i, c * 2 ** (i + 1), 3) + c3(c * 2 ** (i + 1), c * 2 ** (i + 1), n)
        for i, n in enumerate(repeats)
    )
    pool = conv(16 * c, 8 * c, 1) + conv(32 * c, 16 * c, 1)
    up = conv(16 * c, 8 * c, 1) + c3(16 * c, 8 * c, 1) + conv(8 * c, 4 * c, 1) + c3(8 * c, 4 * c, 1)
    down = conv(4 * c, 4 * c, 3) + c3(8 * c, 8 * c, 1) + conv(8 * c, 8 * c, 3)
    heads = sum((i * c + 1) * 3 * 6 for i in (4, 8, 16))
    return backbone + pool + up + down + c3(16 * c, 16 * c, 1) + heads


@pytest.mark.parametrize(
    ("size", "channels", "published"), [("n", 16, 1765270), ("s", 32, 7022326)]
)
def test_parameters_are_those_published_for_one_class(
    size: Size, channels: int, published: int
) -> None:
    count = sum(p.numel() for p in YoloV5(size).parameters())
    assert count == by_hand(channels, (1, 2, 3, 1)) == published


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 99), (33, 40)])
def test_any_size_gives_one_box_an_anchor_of_every_cell(height: int, width: int) -> None:
    net = YoloV5("n").eval()
    with torch.no_grad():
        raw = net(torch.rand(2, 3, height, width) * 255)
        found = net.candidates(raw)
    assert [tuple(level.shape[:2]) for level in raw] == [(2, 3)] * 3
    cells = sum(level.shape[2] * level.shape[3] for level in raw)
    assert found.boxes.shape == (2, 3 * cells, 4)
    assert found.scores.shape == (2, 3 * cells)
    assert ((found.scores > 0) & (found.scores < 0.1)).all()


def test_a_box_written_into_a_cell_is_read_from_it() -> None:
    net = YoloV5("n")
    shapes = [(8, 10), (4, 5), (2, 3)]
    raw = [torch.full((1, 3, h, w, VALUES), -9.0) for h, w in shapes]
    wanted = []
    for level, (stride, anchors) in enumerate(zip(STRIDES, ANCHORS, strict=True)):
        row, column, anchor = 1, level % 2, level
        centre = torch.tensor([column + 0.2, row + 0.9]) * stride
        side = torch.tensor(anchors[anchor]) * torch.tensor([1.7, 0.6])
        place = (torch.tensor([0.2, 0.9]) + 0.5) / 2
        scale = torch.tensor([1.7, 0.6]).sqrt() / 2
        values = torch.logit(torch.cat([place, scale]))
        raw[level][0, anchor, row, column] = torch.cat([values, torch.full((2,), 9.0)])
        wanted.append(torch.cat([centre - side / 2, centre + side / 2]))
    (faces,) = faces_among(net.candidates(raw), 0.5, 0.9)
    found = torch.tensor(faces.boxes)[torch.tensor(faces.boxes[:, 2]).argsort()]
    torch.testing.assert_close(found, torch.stack(sorted(wanted, key=lambda b: float(b[2]))))


def test_decoded_boxes_stay_within_reach_of_their_cell() -> None:
    centre, side = decode(torch.randn(1000, 4) * 20, torch.tensor([3.0, 5.0]))
    assert ((centre >= -0.5) & (centre <= 1.5)).all()
    assert ((side >= 0) & (side <= 4 * torch.tensor([3.0, 5.0]))).all()

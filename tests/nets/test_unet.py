import pytest
import torch

from dartblur.nets.unet import FrameGenerator


def test_has_the_published_number_of_parameters() -> None:
    assert sum(p.numel() for p in FrameGenerator().parameters()) == 12_653_187


@pytest.mark.parametrize("size", [(32, 64), (50, 71)])
@pytest.mark.parametrize("width", [0.0625, 0.25])
def test_takes_frames_of_any_size(width: float, size: tuple[int, int]) -> None:
    painted = FrameGenerator(width)(torch.rand(2, 3, *size) * 255, torch.ones(2, 1, *size))
    assert painted.shape == (2, 3, *size)
    assert painted.min() >= 0
    assert painted.max() <= 255


def test_begins_near_its_input() -> None:
    torch.manual_seed(0)
    net = FrameGenerator(0.25)
    with torch.no_grad():
        for parameter in net.last.parameters():
            parameter.zero_()
    blurred = torch.rand(1, 3, 32, 32) * 100 + 60
    painted = net(blurred, torch.zeros(1, 1, 32, 32))
    expected = (torch.tanh(blurred / 127.5 - 1) + 1) * 127.5
    torch.testing.assert_close(painted, expected, atol=1e-3, rtol=0)

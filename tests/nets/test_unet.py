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


@pytest.mark.parametrize("size", [(32, 64), (90, 171), (160, 128)])
@pytest.mark.parametrize("share", [0, 0.0003, 0.01, 1])
def test_inside_the_mask_alone_it_paints_the_same(size: tuple[int, int], share: float) -> None:
    torch.manual_seed(0)
    net = FrameGenerator(0.0625)
    blurred = torch.rand(3, 3, *size) * 255
    mask = (torch.rand(3, 1, *size) < share).float()
    mask[0, 0, -1, -1] = mask[1, 0, 0, 0] = share > 0

    def gradients(*, only_inside: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        painted = net(blurred, mask, only_inside=only_inside) * mask
        return painted, list(torch.autograd.grad(painted.sum(), list(net.parameters())))

    (whole, expected), (part, found) = (gradients(only_inside=x) for x in (False, True))
    torch.testing.assert_close(part, whole, atol=1e-3, rtol=0)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)

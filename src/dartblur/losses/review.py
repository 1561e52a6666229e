"""The review loss: how far a generated face may stray from the blur that a person expects."""

from torch import Tensor
from torch.nn import functional


def review_loss(change: Tensor, margin: float) -> Tensor:
    """L_rev = relu(smooth_l1(g(x, b), h(x, b)) − eps_rev), a scalar.

    change: g(x, b) − h(x, b) in the face pixels alone, any shape, on the 0 to 255 scale.
    margin: eps_rev, on the same scale. Without a face pixel the loss is 0.
    """
    if change.numel() == 0:
        return change.sum()
    distance = functional.smooth_l1_loss(change, change.new_zeros(()).expand_as(change))
    return functional.relu(distance - margin)

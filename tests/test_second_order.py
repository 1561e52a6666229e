"""The step that one can differentiate through."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install dartblur[train]")

from torch import Tensor, nn
from torch.func import functional_call

from dartblur.second_order import AdamState, adam_step, clipped, gradients_of, sgd_step


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.second = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(torch.tanh(self.norm(self.first(x))))
        return out


@pytest.fixture
def net() -> Tiny:
    torch.manual_seed(0)
    return Tiny().double().eval()


def parameters(net: nn.Module) -> dict[str, Tensor]:
    return dict(net.named_parameters())


def inner_loss(net: nn.Module, values: dict[str, Tensor], x: Tensor) -> Tensor:
    loss: Tensor = functional_call(net, values, (x,)).square().mean()
    return loss


def after_one_step(net: nn.Module, made: Tensor, clear: Tensor, kind: str) -> Tensor:
    values = parameters(net)
    gradients = gradients_of(inner_loss(net, values, made), values)
    if kind == "sgd":
        stepped = sgd_step(values, gradients, 0.1)
    else:
        square = {name: torch.full_like(v, 0.01) for name, v in values.items()}
        state = AdamState(
            {name: torch.zeros_like(v) for name, v in values.items()},
            square,
            dict.fromkeys(values, 5),
        )
        stepped = adam_step(values, gradients, state, 0.01)
    return inner_loss(net, stepped, clear)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_gradient_through_the_step(net: Tiny, kind: str) -> None:
    made = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    clear = torch.randn(5, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: after_one_step(net, m, clear, kind), (made,))


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_second_order_agrees_with_finite_differences(net: Tiny, kind: str) -> None:
    made = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    clear = torch.randn(5, 3, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(after_one_step(net, made, clear, kind), made)
    direction = torch.randn_like(made)
    h = 1e-5
    with torch.no_grad():
        up, down = made + h * direction, made - h * direction
    difference = after_one_step(net, up, clear, kind) - after_one_step(net, down, clear, kind)
    expected = float(difference.detach()) / (2 * h)
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=1e-5, abs=1e-9)
    # To first order θ' does not depend on the generated picture at all.
    assert gradient.norm() > 1e-6


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_adam_step_is_torchs(net: Tiny, steps: int) -> None:
    theirs = copy.deepcopy(net)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        inner_loss(theirs, parameters(theirs), torch.randn(5, 3, dtype=torch.float64)).backward()
        optimizer.step()
    x = torch.randn(5, 3, dtype=torch.float64)
    before = {name: v.detach().clone().requires_grad_() for name, v in parameters(theirs).items()}
    state = AdamState.of(optimizer, parameters(theirs))
    ours = adam_step(before, gradients_of(inner_loss(net, before, x), before), state, 0.01)
    optimizer.zero_grad()
    inner_loss(theirs, parameters(theirs), x).backward()
    optimizer.step()
    for name, value in parameters(theirs).items():
        torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)


def test_a_parameter_that_never_moved_has_no_moments_and_the_others_keep_theirs(net: Tiny) -> None:
    net.idle = nn.Linear(2, 2).double()  # type: ignore[assignment]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        inner_loss(net, parameters(net), torch.randn(5, 3, dtype=torch.float64)).backward()
        optimizer.step()
    state = AdamState.of(optimizer, parameters(net))
    for name, value in parameters(net).items():
        idle = name.startswith("idle")
        assert state.steps[name] == (0 if idle else 3)
        held = torch.zeros_like(value) if idle else optimizer.state[value]["exp_avg_sq"]
        assert torch.equal(state.square[name], held)


def test_a_gradient_of_zero_does_not_break_adam(net: Tiny) -> None:
    values = parameters(net)
    made = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    loss = functional_call(net, values, (made,)).sum() * 0
    gradients = gradients_of(loss, values)
    stepped = adam_step(values, gradients, AdamState.fresh(values), 0.01)
    (gradient,) = torch.autograd.grad(inner_loss(net, stepped, made), made)
    assert gradient.isfinite().all()


def test_statistics_of_the_original_are_left_alone(net: Tiny) -> None:
    before = copy.deepcopy(net.state_dict())
    made = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    after_one_step(net, made, torch.randn(5, 3, dtype=torch.float64), "adam").backward()
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("most", [0.1, 100.0])
def test_gradients_are_clipped_as_torch_does(net: Tiny, most: float) -> None:
    values = parameters(net)
    loss = inner_loss(net, values, torch.randn(5, 3, dtype=torch.float64))
    ours = clipped(gradients_of(loss, values), most)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), most)
    for name, value in values.items():
        torch.testing.assert_close(ours[name], value.grad, rtol=1e-5, atol=1e-9)


def test_a_gradient_of_zero_is_clipped_to_zero(net: Tiny) -> None:
    values = parameters(net)
    made = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
    held = clipped(gradients_of(functional_call(net, values, (made,)).sum() * 0, values), 1.0)
    total = torch.stack([g.sum() for g in held.values()]).sum()
    (gradient,) = torch.autograd.grad(total, made)
    assert float(total) == 0
    assert gradient.isfinite().all()

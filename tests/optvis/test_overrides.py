"""Gradient rules against finite differences, NumPy, and what they promise."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agnostic.engine.model import Model
from agnostic.optvis.overrides import gradient_rules

PLAIN = gradient_rules(redirect=False, smooth_pool=False)
REDIRECTED = gradient_rules(redirect=True, smooth_pool=False)
SMOOTH = gradient_rules(redirect=False, smooth_pool=True)
LOW, SIX = torch.tensor(0.0), torch.tensor(6.0)


def clamp(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return x.clamp(low, high)


def pulled(rule: Any, forward: Any, x: Tensor, gradient: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    y = rule(forward, leaf, *rest)
    y.backward(gradient)
    assert leaf.grad is not None
    return y.detach(), leaf.grad


def values(*shape: int, low: float = -8.0, high: float = 14.0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).uniform(low, high, shape).astype(np.float32))


@pytest.mark.parametrize("rules", [PLAIN, REDIRECTED])
def test_relu6_is_itself_where_gradients_pass(rules: Any) -> None:
    x, gradient = values(3, 4, 5, 6), values(3, 4, 5, 6, low=-1, high=1)
    y, found = pulled(rules["Clip"], clamp, x, gradient, LOW, SIX)
    assert np.array_equal(y.numpy(), np.clip(x.numpy(), 0, 6))
    inside = (x > 0) & (x < 6)
    assert torch.equal(found, torch.where(inside, gradient, 0))


def test_redirected_relu_is_itself_where_gradients_pass() -> None:
    x, gradient = values(3, 4, 5, 6), values(3, 4, 5, 6, low=-1, high=1)
    y, found = pulled(REDIRECTED["Relu"], torch.relu, x, gradient)
    assert torch.equal(y, x.clamp(min=0))
    assert torch.equal(found, torch.where(x > 0, gradient, 0))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_stuck_picture_alone_is_redirected_inwards(layout: torch.memory_format) -> None:
    x = torch.stack([values(2, 3, 3), values(2, 3, 3, high=-1), values(2, 3, 3, low=7)]).contiguous(
        memory_format=layout
    )
    gradient = values(3, 2, 3, 3, low=-1, high=1)
    _, found = pulled(REDIRECTED["Clip"], clamp, x, gradient, LOW, SIX)
    inside = (x[0] > 0) & (x[0] < 6)
    assert torch.equal(found[0], torch.where(inside, gradient[0], 0))
    # Descent goes along -gradient: up from below, down from above.
    assert torch.equal(found[1], gradient[1].clamp(max=0))
    assert torch.equal(found[2], gradient[2].clamp(min=0))
    assert found[1].any() and found[2].any()
    _, relu = pulled(REDIRECTED["Relu"], torch.relu, x, gradient)
    assert torch.equal(relu[1], gradient[1].clamp(max=0))
    assert torch.equal(relu[2], gradient[2])


def test_a_stuck_picture_of_exact_zeros_is_pushed_up() -> None:
    gradient = values(1, 2, 3, 3, low=-1, high=1)
    _, found = pulled(REDIRECTED["Relu"], torch.relu, torch.zeros(1, 2, 3, 3), gradient)
    assert torch.equal(found, gradient.clamp(max=0))


@pytest.mark.parametrize("rules", [PLAIN, REDIRECTED])
@pytest.mark.parametrize("bounds", [(LOW,), (None, SIX), (torch.zeros(3), SIX), (SIX, LOW), ()])
def test_other_clips_are_left_to_the_graph(rules: Any, bounds: tuple[Any, ...]) -> None:
    marked = object()
    assert rules["Clip"](lambda *given: marked, values(2, 3), *bounds) is marked


def test_integers_are_left_to_the_graph() -> None:
    marked = object()
    assert PLAIN["Clip"](lambda *given: marked, torch.ones(2, dtype=torch.int64), LOW, SIX) is marked


@pytest.mark.parametrize(("strides", "pads"), [([2, 2], [0, 0, 0, 0]), ([2, 1], [1, 0, 1, 1]), ([1, 1], [1, 1, 1, 1])])
def test_a_smooth_pool_hands_back_the_gradient_of_its_formula(
    opened: Callable[..., Model], strides: list[int], pads: list[int]
) -> None:
    """mean(x^2) / (0.01 + mean|x|) of each window, differentiated by hand, window by window."""
    pool = pooling(opened, f"kernel_shape=[3,2], strides={strides}, pads={pads}")
    x = values(2, 3, 7, 8, low=-2, high=2)
    largest, _ = pool(x, PLAIN)
    gradient = values(*largest.shape, low=-1, high=1)
    y, leaf = pool(x, SMOOTH)
    assert torch.equal(y.detach(), largest.detach())
    y.backward(gradient)
    expected = by_hand(x.double().numpy(), gradient.double().numpy(), strides, pads)
    assert leaf.grad is not None
    assert leaf.grad.numpy() == pytest.approx(expected, rel=1e-3, abs=1e-5)


def by_hand(x: np.ndarray, gradient: np.ndarray, strides: list[int], pads: list[int]) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    given = np.zeros_like(padded)
    for row, column in np.ndindex(*gradient.shape[2:]):
        top, left = row * strides[0], column * strides[1]
        window = padded[:, :, top : top + 3, left : left + 2]
        square, size = (window**2).mean(axis=(2, 3)), 0.01 + np.abs(window).mean(axis=(2, 3))
        square, size = square[:, :, None, None], size[:, :, None, None]
        slope = (2 * window * size - square * np.sign(window)) / (6 * size**2)
        given[:, :, top : top + 3, left : left + 2] += gradient[:, :, row, column][:, :, None, None] * slope
    return given[:, :, pads[0] : pads[0] + x.shape[2], pads[1] : pads[1] + x.shape[3]]


@pytest.mark.parametrize("settings", ["dilations=[2,2]", "auto_pad=SAME_UPPER", "ceil_mode=1, strides=[2,2]"])
def test_pools_that_have_no_smooth_form_keep_their_gradient(opened: Callable[..., Model], settings: str) -> None:
    pool, x = pooling(opened, f"kernel_shape=[2,2], {settings}"), values(1, 3, 7, 7)
    gradients = []
    for rules in (PLAIN, SMOOTH):
        y, leaf = pool(x, rules)
        y.sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


def pooling(opened: Callable[..., Model], settings: str) -> Callable[[Tensor, Any], tuple[Tensor, Tensor]]:
    """Give a function from values and rules to what a graph of one max-pool makes of them, and its leaf."""
    text = f"net (float[n,3,h,w] x) => (float[n,3,p,q] y) {{ y = MaxPool<{settings}>(x) }}"
    module = opened(text.replace("SAME_UPPER", '"SAME_UPPER"')).autograd.module

    def pool(x: Tensor, rules: Any) -> tuple[Tensor, Tensor]:
        leaf = x.clone().requires_grad_()
        return module.run({"x": leaf}, ["y"], None, rules)["y"], leaf

    return pool


def test_rules_are_chosen() -> None:
    assert set(PLAIN) == {"Clip"}
    assert set(REDIRECTED) == {"Relu", "Clip"}
    assert set(gradient_rules(redirect=True, smooth_pool=True)) == {"Relu", "Clip", "MaxPool"}

"""Gradients that get a picture going: through ReLUs that are off everywhere, and through all of a pooling window.

Rules as the re-imported graph takes them, by operator: ``rule(forward, *inputs) -> output``.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.step import Rule
from agnostic.engine.backward import standing

_SMALL = 0.01


def gradient_rules(*, redirect: bool, smooth_pool: bool) -> Mapping[str, Rule]:
    """Choose the rules of a step; without any of the two all derivatives are as they are, only faster for ReLU6."""
    rules: dict[str, Rule] = {"Relu": _redirected_relu, "Clip": _redirected_clip} if redirect else {"Clip": _plain_clip}
    return rules | {"MaxPool": _smooth_pool} if smooth_pool else rules


class _Redirected(torch.autograd.Function):
    """A clamp to low..high that lets a picture's gradient through where none of it would pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        return F.hardtanh(x, low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        plain: Tensor = torch.ops.aten.hardtanh_backward(gradient, x, ctx.low, ctx.high)
        stuck = ~plain.any(dim=1, keepdim=True).flatten(1).any(dim=1)
        if stuck.any():
            plain[stuck] = _inward(gradient[stuck], x[stuck], ctx.low, ctx.high)
        return plain, None, None


def _inward(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """Keep what pushes values towards the range: what is minimised falls along -gradient."""
    return torch.where(((x <= low) & (gradient < 0)) | ((x >= high) & (gradient > 0)), gradient, 0.0)


def _redirected(x: Tensor, low: float, high: float) -> Tensor:
    clamped: Tensor = _Redirected.apply(x, low, high)  # type: ignore[no-untyped-call]
    return clamped


def _redirected_relu(forward: Rule, x: Tensor) -> Tensor:
    return _redirected(x, 0.0, torch.inf)


def _redirected_clip(forward: Rule, x: Tensor, *bounds: Any) -> Any:
    """Redirect a clip by two numbers, such as ReLU6."""
    found = _two_numbers(x, bounds)
    return _redirected(x, *found) if found else forward(x, *bounds)


def _plain_clip(forward: Rule, x: Tensor, *bounds: Any) -> Any:
    """Clip by two numbers in one kernel forward and one backward, where a clamp takes four."""
    found = _two_numbers(x, bounds)
    return F.hardtanh(x, *found) if found else forward(x, *bounds)


def _two_numbers(x: Tensor, bounds: tuple[Any, ...]) -> tuple[float, float] | None:
    if len(bounds) != 2 or not x.is_floating_point() or not all(_is_number(bound) for bound in bounds):
        return None
    low, high = (float(bound) for bound in bounds)
    return (low, high) if low < high else None


def _is_number(bound: Any) -> bool:
    return isinstance(bound, Tensor) and bound.numel() == 1


def _smooth_pool(forward: Any, x: Tensor) -> Any:
    """Take the largest of a window, and hand gradients back as the window's mean of squares over its mean size does."""
    found = forward(x)
    largest = found[0] if isinstance(found, tuple) else found
    settings = getattr(forward, "keywords", {})
    shape, pads = settings.get("kernel_shape"), settings.get("pads") or [0] * 4
    plain = set(settings.get("dilations") or [1]) == {1} and settings.get("auto_pad", "NOTSET") == "NOTSET"
    if x.ndim != 4 or not plain or shape is None or settings.get("ceil_mode"):
        return found
    padded = F.pad(x, [pads[1], pads[3], pads[0], pads[2]])
    strides = tuple(settings.get("strides") or [1, 1])
    squares, sizes = (F.avg_pool2d(values, tuple(shape), strides) for values in (padded.square(), padded.abs()))
    stood = standing(largest, squares / (_SMALL + sizes))
    return (stood, *found[1:]) if isinstance(found, tuple) else stood

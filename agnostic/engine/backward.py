"""Modified backward passes: what a nonlinearity hands back in place of its derivative.

A rule is `rule(forward, *inputs) -> output`, called by the re-imported graph in place of the operator's own function.
To add one, write such a function and name the operators it stands in for in `RULES`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

RuleName = Literal["plain", "guided", "deconvolution", "rescale"]
Rule = Callable[..., Any]

_RELUS = (
    "Relu",
    "Clip",
    "LeakyRelu",
    "PRelu",
    "ThresholdedRelu",
    "Elu",
    "Selu",
    "Celu",
    "HardSwish",
    "Gelu",
    "FusedConv",
)
_ELEMENTWISE = (
    "Relu", "Clip", "LeakyRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "HardSwish", "HardSigmoid", "Gelu",
    "Sigmoid", "Tanh", "Softplus", "Softsign", "Mish", "Erf", "Exp", "Sqrt", "QuickGelu", "FastGelu", "Swish",
)  # fmt: skip
# Two activations nearer to each other than this have no usable slope between them.
_NEAR = 1e-6


class _Gated(torch.autograd.Function):
    """Let only positive gradients back, and where `by_input`, only through positive inputs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, by_input: bool) -> Tensor:
        ctx.save_for_backward(y > 0 if by_input else torch.ones_like(y, dtype=torch.bool))
        return y.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (gate,) = ctx.saved_tensors
        return gradient.clamp(min=0) * gate, None, None


def _guided(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Springenberg et al. 2015: a ReLU passes positive gradients, where it was active."""
    with torch.no_grad():
        y = forward(x, *more)
    return _Gated.apply(x, y, True)


def _deconvolution(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Zeiler & Fergus 2014: a ReLU passes positive gradients, active or not."""
    with torch.no_grad():
        y = forward(x, *more)
    return _Gated.apply(x, y, False)


class _Slope(torch.autograd.Function):
    """Hand back the slope between the sample and its reference, the halves of the batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return y.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (slope,) = ctx.saved_tensors
        return gradient * torch.cat([slope, slope]), None, None


def _rescale(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Shrikumar et al. 2017: the slope from the reference to the sample, the derivative where they meet."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        y = forward(leaf, *more)
        (derivative,) = torch.autograd.grad(y.sum(), leaf)
    difference = torch.sub(*x.detach().chunk(2))
    raised = torch.sub(*y.detach().chunk(2))
    near = difference.abs() < _NEAR
    slope = torch.where(
        near, derivative.chunk(2)[0], raised / torch.where(near, torch.ones_like(difference), difference)
    )
    return _Slope.apply(x, y.detach(), slope)


RULES: Mapping[str, Mapping[str, Rule]] = {
    "plain": {},
    "guided": dict.fromkeys(_RELUS, _guided),
    "deconvolution": dict.fromkeys(_RELUS, _deconvolution),
    "rescale": dict.fromkeys(_ELEMENTWISE, _rescale),
}

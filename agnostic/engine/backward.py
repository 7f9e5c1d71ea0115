"""Modified backward passes: what a nonlinearity hands back in place of its derivative.

A rule is `rule(forward, *inputs) -> output`, called by the re-imported graph in place of the operator's own function.
To add one, write such a function and name the operators it stands in for in `RULES`.

The rules of `rescale` see pairs: the first half of a batch holds samples, the second half their references. Each gives
both halves the same multipliers, so that multipliers times differences add up, operator by operator, to the difference
of the scores.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

RuleName = Literal["plain", "guided", "deconvolution", "rescale"]
Rule = Callable[..., Any]

# Two activations nearer to each other than this have no usable slope between them.
_NEAR = 1e-6
# Points on the way from reference to sample at which operators of several variables are differentiated.
_NODES = 16

_GATES = (
    "Relu", "Clip", "LeakyRelu", "PRelu", "ThresholdedRelu", "Elu", "Selu", "Celu", "HardSwish", "Gelu", "FastGelu",
    "QuickGelu", "Swish", "Mish",
)  # fmt: skip
_FUSED = ("FusedConv", "FusedGemm")
_ELEMENTWISE = (
    *_GATES, "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "HardSigmoid",
    "Log", "Pow", "Reciprocal", "Shrink", "Sigmoid", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
)  # fmt: skip
_LARGEST = ("GlobalMaxPool", "MaxPool", "ReduceMax")
_PRODUCTS = ("Conv", "ConvTranspose", "Einsum", "FusedMatMul", "Gemm", "MatMul", "Mul")
_MIXTURES = (
    "Attention", "BiasGelu", "BiasSoftmax", "GroupNormalization", "GroupQueryAttention", "InstanceNormalization", "LRN",
    "LayerNormalization", "LogSoftmax", "LpNormalization", "MultiHeadAttention", "RMSNormalization",
    "ReduceL2", "ReduceLogSumExp", "ReduceMin", "ReduceProd", "ReduceSumSquare", "SimplifiedLayerNormalization",
    "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "Softmax",
)  # fmt: skip


class _Standing(torch.autograd.Function):
    """A value through which gradients flow into another tensor of its shape."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, other: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        return None, gradient


class _Rising(torch.autograd.Function):
    """The identity, which hands back positive gradients only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(min=0)


def standing(value: Tensor, other: Tensor) -> Tensor:
    """Give a value through which gradients flow into another tensor of its shape."""
    stood: Tensor = _Standing.apply(value, other)  # type: ignore[no-untyped-call]
    return stood


def _rising(x: Tensor) -> Tensor:
    risen: Tensor = _Rising.apply(x)  # type: ignore[no-untyped-call]
    return risen


def _guided(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Springenberg et al. 2015: a ReLU passes positive gradients, where it was active."""
    return _rising(forward(x, *more))


def _deconvolution(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Zeiler & Fergus 2014: a ReLU passes positive gradients, active or not."""
    with torch.no_grad():
        y = forward(x, *more)
    return standing(y, _rising(x))


def _unfused(rule: Rule, forward: Any, *inputs: Any) -> Any:
    """Apply a rule to the ReLU that a convolution or product was fused with."""
    if getattr(forward, "keywords", {}).get("activation") != "Relu":
        return forward(*inputs)
    return rule(torch.relu, forward(*inputs, activation=""))


def _slope(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Shrikumar et al. 2017: the slope from the reference to the sample, the derivative where they meet."""
    if not _are_pairs(x) or any(_is_live(item) for item in more):
        return _on_the_way(_NODES, forward, x, *more)
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        y = forward(leaf, *more)
        if y.shape != x.shape:
            return _on_the_way(_NODES, forward, x, *more)
        (derivative,) = torch.autograd.grad(y.sum(), leaf)
    y, difference = y.detach(), torch.sub(*x.detach().chunk(2))
    # Written so that the NaN of two infinities counts as near.
    apart = difference.abs() >= _NEAR
    slope = torch.where(apart, torch.sub(*y.chunk(2)) / torch.where(apart, difference, 1.0), derivative.chunk(2)[0])
    return standing(y, x * torch.cat([slope, slope]))


def _largest(forward: Rule, x: Tensor, *more: Any) -> Any:
    """Give the difference of two maxima to the place of the larger one, whose own difference is no smaller."""
    if not _are_pairs(x):
        return forward(x, *more)
    with torch.no_grad():
        found = forward(x, *more)
        y = found[0] if isinstance(found, tuple) else found
        risen = torch.sub(*y.chunk(2))
        parts = torch.cat([risen.clamp(min=0), risen.clamp(max=0)])
        difference = torch.sub(*x.chunk(2))
        apart = difference.abs() >= _NEAR
        per_unit = torch.where(apart, 1.0 / torch.where(apart, difference, 1.0), 0.0)
    shared = sum(x.chunk(2)) * per_unit
    routed = forward(standing(x.detach(), torch.cat([shared, shared])), *more)
    routed = routed[0] if isinstance(routed, tuple) else routed
    stood = standing(y, routed * parts)
    return (stood, *found[1:]) if isinstance(found, tuple) else stood


def _product(forward: Rule, *inputs: Any) -> Any:
    """Give each factor the mean of the others, the derivative half way."""
    return _on_the_way(1, forward, *inputs) if sum(map(_is_live, inputs)) > 1 else forward(*inputs)


def _quotient(forward: Rule, above: Any, below: Any) -> Any:
    """Divide as a product with the reciprocal, whose slope is exact."""
    if not _is_live(below):
        return forward(above, below)
    with torch.no_grad():
        y = forward(above, below)
    return standing(y, _product(torch.mul, above, _slope(torch.reciprocal, below)))


def _extreme(forward: Rule, *inputs: Any) -> Any:
    """Treat a maximum or minimum with constants, such as a ReLU written out, as a function of one variable."""
    live = [place for place, item in enumerate(inputs) if _is_live(item)]
    if len(live) != 1:
        return _on_the_way(_NODES, forward, *inputs)
    place = live[0]
    return _slope(lambda item: forward(*inputs[:place], item, *inputs[place + 1 :]), inputs[place])


def _on_the_way(nodes: int, forward: Rule, *inputs: Any) -> Any:
    """Average the derivative along the straight line from the reference to the sample (Aumann & Shapley 1974).

    For an operator of one variable that is the slope.
    """
    live = [item for item in inputs if _is_live(item)]
    if not live or not all(map(_are_pairs, live)):
        return forward(*inputs)
    with torch.no_grad():
        found = forward(*inputs)
    y = found[0] if isinstance(found, tuple) else found
    total = torch.zeros_like(y)
    for place, weight in zip(*_gauss_legendre(nodes), strict=True):
        passed = forward(*(_between(item, place) if _is_live(item) else item for item in inputs))
        total = total + weight * (passed[0] if isinstance(passed, tuple) else passed)
    stood = standing(y, total)
    return (stood, *found[1:]) if isinstance(found, tuple) else stood


def _between(x: Tensor, place: float) -> Tensor:
    """A point on the way from reference to sample, in both halves; gradients flow into x."""
    with torch.no_grad():
        sample, reference = x.chunk(2)
        point = place * sample + (1 - place) * reference
        points = torch.cat([point, point])
    return standing(points, x)


def _gauss_legendre(nodes: int) -> tuple[Sequence[float], Sequence[float]]:
    places, weights = np.polynomial.legendre.leggauss(nodes)
    return (0.5 * (places + 1)).tolist(), (0.5 * weights).tolist()


def _is_live(item: Any) -> bool:
    return isinstance(item, Tensor) and item.requires_grad


def _are_pairs(x: Tensor) -> bool:
    """Whether gradients flow into a tensor whose first axis can be cut into samples and references."""
    return x.requires_grad and x.ndim > 0 and len(x) % 2 == 0


RULES: Mapping[str, Mapping[str, Rule]] = {
    "plain": {},
    "guided": dict.fromkeys(_GATES, _guided) | dict.fromkeys(_FUSED, partial(_unfused, _guided)),
    "deconvolution": dict.fromkeys(_GATES, _deconvolution) | dict.fromkeys(_FUSED, partial(_unfused, _deconvolution)),
    "rescale": dict.fromkeys(_ELEMENTWISE, _slope)
    | dict.fromkeys(_FUSED, partial(_unfused, _slope))
    | dict.fromkeys(_LARGEST, _largest)
    | dict.fromkeys(_PRODUCTS, _product)
    | dict.fromkeys(_MIXTURES, partial(_on_the_way, _NODES))
    | {"Div": _quotient, "Max": _extreme, "Min": _extreme},
}

"""Arithmetic, comparisons and logic with broadcasting; what piecewise constant functions give carries no gradient."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator, plain

plain(
    Abs=torch.abs,
    Acos=torch.acos,
    Acosh=torch.acosh,
    Add=torch.add,
    And=torch.logical_and,
    Asin=torch.asin,
    Asinh=torch.asinh,
    Atan=torch.atan,
    Atanh=torch.atanh,
    BitwiseAnd=torch.bitwise_and,
    BitwiseNot=torch.bitwise_not,
    BitwiseOr=torch.bitwise_or,
    BitwiseXor=torch.bitwise_xor,
    Cos=torch.cos,
    Cosh=torch.cosh,
    Equal=lambda a, b: torch.eq(a, b) if isinstance(a, Tensor) else torch.as_tensor(a == b),
    Erf=torch.erf,
    Exp=torch.exp,
    Greater=torch.gt,
    GreaterOrEqual=torch.ge,
    IsNaN=torch.isnan,
    Less=torch.lt,
    LessOrEqual=torch.le,
    Log=torch.log,
    Mul=torch.mul,
    Neg=torch.neg,
    Not=torch.logical_not,
    Or=torch.logical_or,
    Reciprocal=torch.reciprocal,
    Sin=torch.sin,
    Sinh=torch.sinh,
    Sqrt=torch.sqrt,
    Sub=torch.sub,
    Tan=torch.tan,
    Where=torch.where,
    Xor=torch.logical_xor,
)


def _stepwise(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Cut the gradient of a piecewise constant function: zero everywhere is no explanation."""
    return lambda x: function(x).detach()


plain(Ceil=_stepwise(torch.ceil), Floor=_stepwise(torch.floor), Sign=_stepwise(torch.sign))


@operator("Round")
def round_(x: Tensor, *, node: Node) -> Tensor:
    """Round half to even; straight-through passes the gradient on as it comes."""
    rounded = torch.round(x).detach()
    return rounded + (x - x.detach()) if node.straight_through else rounded


@operator("Div")
def div(a: Tensor, b: Tensor) -> Tensor:
    """Quotient; of integers, without what is after the point."""
    floating = a.is_floating_point() or b.is_floating_point()
    return torch.div(a, b) if floating else torch.div(a, b, rounding_mode="trunc")


@operator("Mod")
def mod(a: Tensor, b: Tensor, *, fmod: int = 0) -> Tensor:
    """Remainder with the divisor's sign, or with the dividend's for fmod."""
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


@operator("Pow")
def power(base: Tensor, exponent: Tensor) -> Tensor:
    """Power in the base's type."""
    if base.is_floating_point():
        if exponent.numel() == 1 and not exponent.requires_grad:
            return torch.pow(base, exponent.item()).reshape(torch.Size([1] * (exponent.ndim - base.ndim)) + base.shape)
        return torch.pow(base, exponent.to(base.dtype))
    if exponent.is_floating_point() or bool((exponent.to(torch.int64) < 0).any()):
        return torch.pow(base.double(), exponent.double()).to(base.dtype)
    return torch.pow(base, exponent).to(base.dtype)


@operator("BitShift")
def bit_shift(x: Tensor, by: Tensor, *, direction: str) -> Tensor:
    """Shift bits LEFT or RIGHT."""
    return torch.bitwise_left_shift(x, by) if direction == "LEFT" else torch.bitwise_right_shift(x, by)


@operator("IsInf")
def is_inf(x: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    """Say where a value is infinite, of the signs asked for."""
    return torch.isinf(x) & ((x < 0) & bool(detect_negative) | (x > 0) & bool(detect_positive))


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda *tensors: functools.reduce(function, tensors)


plain(Max=_folded(torch.maximum), Min=_folded(torch.minimum), Sum=_folded(torch.add))


@operator("Mean")
def mean(*tensors: Tensor) -> Tensor:
    """Mean over the inputs, not over an axis."""
    total: Tensor = functools.reduce(torch.add, tensors)
    return total / len(tensors)

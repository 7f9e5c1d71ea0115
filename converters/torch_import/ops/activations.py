"""Activation functions: tensor in, tensor of the same shape out."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.registry import operator, plain

plain(
    Relu=torch.relu,
    Sigmoid=torch.sigmoid,
    Tanh=torch.tanh,
    Softsign=F.softsign,
    HardSwish=F.hardswish,
    Mish=F.mish,
)


@operator("Softplus")
def softplus(x: Tensor) -> Tensor:
    """ln(1 + e^x), without torch's switch to the identity above 20."""
    return torch.logaddexp(x, torch.zeros_like(x))


@operator("LeakyRelu")
def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    """Slope alpha below zero."""
    return F.leaky_relu(x, alpha)


@operator("PRelu")
def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """Slope by a tensor that broadcasts to x."""
    return torch.where(x < 0, x * slope, x)


@operator("Elu")
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Alpha (e^x - 1) below zero."""
    return F.elu(x, alpha)


@operator("Celu")
def celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Alpha (e^(x / alpha) - 1) below zero."""
    return F.celu(x, alpha)


@operator("Selu")
def selu(x: Tensor, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805) -> Tensor:
    """Gamma times an ELU."""
    return gamma * F.elu(x, alpha)


@operator("Gelu")
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, exact or by tanh."""
    return F.gelu(x, approximate=approximate)


@operator("Swish")
def swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """X times the sigmoid of alpha x."""
    return F.silu(x) if alpha == 1.0 else x * torch.sigmoid(alpha * x)


@operator("HardSigmoid")
def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """A line of slope alpha through beta, between zero and one."""
    return torch.clamp(alpha * x + beta, 0, 1)


@operator("ThresholdedRelu")
def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """X above alpha, else zero."""
    return torch.where(x > alpha, x, 0)


@operator("Shrink")
def shrink(x: Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    """Zero within lambd of zero; outside, bias closer to it."""
    far = torch.where(x > lambd, x - bias, torch.zeros_like(x))
    return torch.where(x < -lambd, x + bias, far).to(x.dtype)


@operator("Clip")
def clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Limit to [low, high]; high wins where they cross."""
    if low is None and high is None:
        return x
    return torch.clamp(x, low, high)


@operator("Softmax")
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Exponentials that sum to one along the axis.

    A row that is masked with -inf throughout is NaN, here as in every runtime; exporters select it away afterwards.
    Its gradient must be zero then, or it would spread NaN to everything before it.
    """
    y = torch.softmax(x, axis)
    if y.requires_grad and y.numel() and bool(torch.isnan(y.select(axis, 0)).any()):
        masked = torch.isneginf(x).all(axis, keepdim=True)
        y = torch.softmax(torch.where(masked, 0, x), axis)
        y = torch.where(masked, torch.nan, y)
    return y


@operator("LogSoftmax")
def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Logarithm of the softmax."""
    return torch.log_softmax(x, axis)


@operator("Hardmax")
def hardmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """One at the first largest value along the axis, zero elsewhere; no gradient."""
    first = x.argmax(axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, first, 1).detach()


@operator("SwiGLU")
def swiglu(gate: Tensor, value: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Swish of the gate times the value."""
    return swish(gate, alpha=alpha) * value

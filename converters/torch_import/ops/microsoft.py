"""The fused operators that onnxruntime's optimiser writes (domain com.microsoft): layers and products."""

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.ops.activations import gelu
from agnostic.converters.torch_import.ops.convolution import conv
from agnostic.converters.torch_import.ops.matrix import gemm
from agnostic.converters.torch_import.registry import Node, operator

MICROSOFT = "com.microsoft"


@operator("Gelu", domain=MICROSOFT)
def exact_gelu(x: Tensor) -> Tensor:
    """Gaussian error linear unit by erf."""
    return gelu(x)


@operator("BiasGelu", domain=MICROSOFT)
def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """Add a bias, then the exact GELU."""
    return gelu(x + bias)


@operator("FastGelu", domain=MICROSOFT)
def fast_gelu(x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Add a bias, then the GELU by tanh."""
    return gelu(x if bias is None else x + bias, approximate="tanh")


@operator("QuickGelu", domain=MICROSOFT)
def quick_gelu(x: Tensor, *, alpha: float = 1.702) -> Tensor:
    """X times the sigmoid of alpha x."""
    return x * torch.sigmoid(alpha * x)


@operator("BiasSplitGelu", domain=MICROSOFT)
def bias_split_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """Add a bias; the first half times the GELU of the second."""
    value, gate = (x + bias).chunk(2, -1)
    return value * gelu(gate)


@operator("BiasSoftmax", domain=MICROSOFT)
def bias_softmax(x: Tensor, bias: Tensor, *, axis: int = 1, is_inner_broadcast: int = 1) -> Tensor:
    """Softmax of a sum over all axes from the given one on."""
    if not is_inner_broadcast and bias.ndim == x.ndim:
        bias = bias.reshape(*bias.shape[:1], *[1] * (axis - 1), *x.shape[axis:])
    shape = x.shape
    return torch.softmax((x + bias).flatten(axis % x.ndim), -1).reshape(shape)


@operator("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_matmul(
    a: Tensor,
    b: Tensor,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
    transBatchA: int = 0,  # noqa: N803
    transBatchB: int = 0,  # noqa: N803
) -> Tensor:
    """Alpha a b, the factors transposed and their first axis moved before the rows where asked."""
    a, b = _turned(a, transBatchA, transA), _turned(b, transBatchB, transB)
    y = a @ b
    return y if alpha == 1.0 else alpha * y


def _turned(x: Tensor, batch: int, matrix: int) -> Tensor:
    x = x.movedim(0, -2) if batch else x
    return x.transpose(-1, -2) if matrix and x.ndim > 1 else x


def _activated(x: Tensor, name: str, parameters: list[float]) -> Tensor:
    table: dict[str, Any] = {
        "": lambda x: x,
        "Clip": torch.clamp,
        "Gelu": F.gelu,
        "HardSigmoid": lambda x, alpha=0.2, beta=0.5: torch.clamp(alpha * x + beta, 0, 1),
        "HardSwish": F.hardswish,
        "LeakyRelu": lambda x, alpha=0.01: F.leaky_relu(x, alpha),
        "Relu": torch.relu,
        "Sigmoid": torch.sigmoid,
        "Tanh": torch.tanh,
    }
    if name not in table:
        raise ValueError(f"the fused activation {name!r} is unknown")
    result: Tensor = table[name](x, *parameters)
    return result


@operator("FusedConv", domain=MICROSOFT)
def fused_conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    z: Tensor | None = None,
    *,
    activation: str = "",
    activation_params: list[float] | None = None,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolve, add z, activate."""
    y = conv(x, w, b, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    return _activated(y if z is None else y + z, activation, activation_params or [])


@operator("FusedGemm", domain=MICROSOFT)
def fused_gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    activation: str = "",
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    """Gemm with an activation."""
    given = [v for v in (activation_alpha, activation_beta, activation_gamma) if v is not None]
    y = gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    return _activated(y, activation, given)


@operator("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(
    x: Tensor,
    skip: Tensor,
    gamma: Tensor,
    beta: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    epsilon: float = 1e-12,
    node: Node,
) -> tuple[Tensor | None, ...]:
    """Layer-normalise a sum, and return the sum as the fourth output."""
    total = x + skip if bias is None else x + skip + bias
    y = F.layer_norm(total, total.shape[-1:], gamma, beta, epsilon)
    if not (node.wants(1) or node.wants(2)):
        return y, None, None, total
    mean = total.mean(-1, keepdim=True)
    return y, mean, torch.rsqrt(total.var(-1, correction=0, keepdim=True) + epsilon), total


@operator("SimplifiedLayerNormalization")
def simplified_layer_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Tensor, Tensor]:
    """Divide by the root mean square; also return its inverse. onnxruntime writes it into the default domain."""
    axes = list(range(axis % x.ndim, x.ndim))
    inverse = torch.rsqrt((x * x).mean(axes, keepdim=True) + epsilon)
    return x * inverse * scale, inverse


@operator("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_simplified_layer_normalization(
    x: Tensor, skip: Tensor, gamma: Tensor, bias: Tensor | None = None, *, epsilon: float = 1e-12
) -> tuple[Tensor | None, ...]:
    """Divide a sum by its root mean square, and return the sum as the fourth output."""
    total = x + skip if bias is None else x + skip + bias
    y, inverse = simplified_layer_normalization(total, gamma, epsilon=epsilon)
    return y, None, inverse, total


@operator("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(
    ids: Tensor,
    segments: Tensor | None,
    words: Tensor,
    places: Tensor,
    kinds: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mask: Tensor | None = None,
    positions: Tensor | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Layer-normalise the sum of word, position and segment embeddings; also return the lengths that the mask tells."""
    index = torch.arange(ids.shape[1], device=ids.device)[None] if positions is None else positions
    total = F.embedding(ids.long(), words) + F.embedding(index.long(), places)
    if segments is not None and kinds is not None:
        total = total + F.embedding(segments.long(), kinds)
    lengths = ids.new_zeros(len(ids)) if mask is None else mask.sum(1)
    return F.layer_norm(total, total.shape[-1:], gamma, beta, epsilon), lengths.to(torch.int32), total

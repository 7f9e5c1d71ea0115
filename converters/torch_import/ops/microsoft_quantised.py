"""The quantised operators that onnxruntime's quantiser writes (domain com.microsoft)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.ops.matrix import gemm
from agnostic.converters.torch_import.ops.microsoft import MICROSOFT
from agnostic.converters.torch_import.ops.pooling import average_pool
from agnostic.converters.torch_import.ops.quantised import (
    aligned,
    dequantize,
    difference,
    dynamic_range,
    matmul_integer,
    quantize,
    rounded,
)
from agnostic.converters.torch_import.registry import Node, operator

operator("QuantizeLinear", domain=MICROSOFT)(quantize)
operator("DequantizeLinear", domain=MICROSOFT)(dequantize)


def _real(x: Tensor, scale: Tensor, zero: Tensor | None) -> Tensor:
    return difference(x, zero, scale.dtype) * scale


def _quantised(y: Tensor, scale: Tensor, zero: Tensor | None, node: Node) -> Tensor:
    return quantize(y, scale, zero, node=node._replace(types=()))


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def compute(
        a: Tensor,
        a_scale: Tensor,
        a_zero: Tensor | None,
        b: Tensor,
        b_scale: Tensor,
        b_zero: Tensor | None,
        y_scale: Tensor,
        y_zero: Tensor | None = None,
        *,
        node: Node,
    ) -> Tensor:
        return _quantised(function(_real(a, a_scale, a_zero), _real(b, b_scale, b_zero)), y_scale, y_zero, node)

    return compute


operator("QLinearAdd", domain=MICROSOFT)(_binary(torch.add))
operator("QLinearMul", domain=MICROSOFT)(_binary(torch.mul))


@operator("QLinearSigmoid", domain=MICROSOFT)
def qlinear_sigmoid(
    x: Tensor, x_scale: Tensor, x_zero: Tensor | None, y_scale: Tensor, y_zero: Tensor | None = None, *, node: Node
) -> Tensor:
    """Sigmoid between two quantised tensors."""
    return _quantised(torch.sigmoid(_real(x, x_scale, x_zero)), y_scale, y_zero, node)


@operator("QLinearLeakyRelu", domain=MICROSOFT)
def qlinear_leaky_relu(
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor | None,
    y_scale: Tensor,
    y_zero: Tensor | None = None,
    *,
    alpha: float = 0.01,
    node: Node,
) -> Tensor:
    """Leaky ReLU between two quantised tensors."""
    return _quantised(F.leaky_relu(_real(x, x_scale, x_zero), alpha), y_scale, y_zero, node)


@operator("QLinearSoftmax", domain=MICROSOFT)
def qlinear_softmax(
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor | None,
    y_scale: Tensor,
    y_zero: Tensor | None = None,
    *,
    axis: int = -1,
    opset: int = 13,
    node: Node,
) -> Tensor:
    """Softmax between two quantised tensors; before opset 13 over all axes from the given one on."""
    real = _real(x, x_scale, x_zero)
    flat = real.flatten(axis % x.ndim) if opset < 13 else real
    return _quantised(torch.softmax(flat, -1 if opset < 13 else axis).reshape(x.shape), y_scale, y_zero, node)


@operator("QLinearGlobalAveragePool", domain=MICROSOFT)
def qlinear_global_average_pool(
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor | None,
    y_scale: Tensor,
    y_zero: Tensor | None = None,
    *,
    channels_last: int = 0,
    node: Node,
) -> Tensor:
    """Mean of each map between two quantised tensors."""
    axes = list(range(1, x.ndim - 1)) if channels_last else list(range(2, x.ndim))
    return _quantised(_real(x, x_scale, x_zero).mean(axes, keepdim=True), y_scale, y_zero, node)


@operator("QLinearAveragePool", domain=MICROSOFT)
def qlinear_average_pool(
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor | None,
    y_scale: Tensor,
    y_zero: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    channels_last: int = 0,
    count_include_pad: int = 0,
    kernel_shape: list[int],
    pads: list[int] | None = None,
    strides: list[int] | None = None,
    node: Node,
) -> Tensor:
    """Mean of each window between two quantised tensors."""
    real = _real(x, x_scale, x_zero)
    y = average_pool(
        real.movedim(-1, 1) if channels_last else real,
        kernel_shape=kernel_shape,
        auto_pad=auto_pad,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
        pads=pads,
        strides=strides,
    )
    return _quantised(y.movedim(1, -1) if channels_last else y, y_scale, y_zero, node)


@operator("QLinearConcat", domain=MICROSOFT)
def qlinear_concat(y_scale: Tensor, y_zero: Tensor, *parts: Tensor, axis: int, node: Node) -> Tensor:
    """Join quantised tensors, given as (tensor, scale, zero point) one after the other."""
    triples = zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
    return _quantised(torch.cat([_real(*triple) for triple in triples], axis), y_scale, y_zero, node)


@operator("QLinearWhere", domain=MICROSOFT)
def qlinear_where(
    condition: Tensor,
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor,
    y: Tensor,
    y_scale: Tensor,
    y_zero: Tensor,
    z_scale: Tensor,
    z_zero: Tensor,
    *,
    node: Node,
) -> Tensor:
    """Choose between two quantised tensors."""
    chosen = torch.where(condition, _real(x, x_scale, x_zero), _real(y, y_scale, y_zero))
    return _quantised(chosen, z_scale, z_zero, node)


@operator("QGemm", domain=MICROSOFT)
def qgemm(
    a: Tensor,
    a_scale: Tensor,
    a_zero: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero: Tensor,
    c: Tensor | None = None,
    y_scale: Tensor | None = None,
    y_zero: Tensor | None = None,
    *,
    alpha: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
    node: Node,
) -> Tensor:
    """Gemm of quantised matrices; the bias has the product's scale; without an output scale the result is a float."""
    columns = 0 if transB else 1
    left = difference(a, a_zero, torch.float64)
    right = difference(b, aligned(b_zero, b, columns), torch.float64)
    product = gemm(left, right, transA=transA, transB=transB)
    product = product if c is None else product + c.double()
    scale = alpha * a_scale * b_scale
    if y_scale is None:
        return (product * scale).to(a_scale.dtype)
    return rounded(product * (scale / y_scale), y_zero, _element_type(y_zero), node)


def _element_type(zero: Tensor | None) -> int:
    return 3 if zero is not None and zero.dtype is torch.int8 else 2


@operator("MatMulIntegerToFloat", domain=MICROSOFT)
def matmul_integer_to_float(
    a: Tensor,
    b: Tensor,
    a_scale: Tensor,
    b_scale: Tensor,
    a_zero: Tensor | None = None,
    b_zero: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Matrix product of integers, scaled to floats."""
    y = matmul_integer(a, b, a_zero, b_zero).to(a_scale.dtype) * (a_scale * b_scale)
    return y if bias is None else y + bias


@operator("DynamicQuantizeMatMul", domain=MICROSOFT)
def dynamic_quantize_matmul(
    a: Tensor, b: Tensor, b_scale: Tensor, b_zero: Tensor | None = None, bias: Tensor | None = None, *, node: Node
) -> Tensor:
    """Quantise a by its own range, multiply by integers, return floats."""
    scale, zero = dynamic_range(a)
    return matmul_integer_to_float(rounded(a / scale, zero, 2, node), b, scale, b_scale, zero, b_zero, bias)


@operator("MatMulNBits", domain=MICROSOFT)
def matmul_n_bits(
    a: Tensor,
    b: Tensor,
    scales: Tensor,
    zeros: Tensor | None = None,
    groups: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    K: int,  # noqa: N803
    N: int,  # noqa: N803
    accuracy_level: int = 0,
    bits: int = 4,
    block_size: int,
) -> Tensor:
    """Multiply by a matrix (N, K) stored in blocks of packed 4- or 8-bit integers."""
    if groups is not None or bits not in (4, 8):
        raise ValueError(f"{bits} bits, or reordered groups, are not supported")
    weights = _unpacked(b.reshape(N, -1), bits).reshape(N, -1, block_size).to(scales.dtype)
    blocks = weights.shape[1]
    if zeros is None:
        origin = torch.full((N, blocks), 2.0 ** (bits - 1), dtype=scales.dtype, device=a.device)
    else:
        stored = zeros if zeros.is_floating_point() else _unpacked(zeros.reshape(N, -1), bits)
        origin = stored.reshape(N, -1)[:, :blocks].to(scales.dtype)
    real = (weights - origin[..., None]) * scales.reshape(N, blocks, 1)
    y = a @ real.reshape(N, -1)[:, :K].T.to(a.dtype)
    return y if bias is None else y + bias


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """Spread bytes that hold two values each, the low half first."""
    return packed if bits == 8 else torch.stack([packed & 15, packed >> 4], -1).flatten(1)

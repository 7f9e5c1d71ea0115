"""Quantised arithmetic, equal to onnxruntime's forward.

Rounding has no gradient, and a quantised tensor is an integer one, so by default every gradient path ends here. With
straight-through estimates a quantised tensor is held as a float of integer value: the gradient passes the rounding as
if it were the identity, and is zero where the value saturates (Bengio et al., 2013).
"""

import torch
from onnx import TensorProto as T
from torch import Tensor

from agnostic.converters.torch_import.ops.convolution import conv
from agnostic.converters.torch_import.registry import Node, operator

_RANGES: dict[int, tuple[int, int]] = {
    T.INT4: (-8, 7),
    T.UINT4: (0, 15),
    T.INT8: (-128, 127),
    T.UINT8: (0, 255),
    T.INT16: (-32768, 32767),
    T.UINT16: (0, 65535),
    T.INT32: (-(2**31), 2**31 - 1),
}
_RANGES |= {getattr(T, name): bounds for name, bounds in (("INT2", (-2, 1)), ("UINT2", (0, 3))) if hasattr(T, name)}
_BY_DTYPE: dict[torch.dtype, int] = {
    torch.int8: T.INT8,
    torch.uint8: T.UINT8,
    torch.int16: T.INT16,
    torch.uint16: T.UINT16,
    torch.int32: T.INT32,
}


def aligned(value: Tensor, x: Tensor, axis: int, block: int = 0) -> Tensor:
    """Shape a scale or zero point so that it broadcasts to x: one for all, one per slice, or one per block."""
    if block:
        return value.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if value.ndim != 1 or x.ndim == 0:
        return value
    if value.numel() == 1:
        return value.reshape(())
    return value.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def difference(x: Tensor, zero: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Subtract the zero point exactly and return a float."""
    if zero is None:
        return x.to(dtype)
    if x.is_floating_point():
        return x.to(dtype) - zero.to(dtype)
    return (x.to(torch.int64) - zero.to(torch.int64)).to(dtype)


def rounded(scaled: Tensor, zero: Tensor | None, element_type: int, node: Node) -> Tensor:
    """Round a scaled float to an integer type around the zero point, saturating."""
    low, high = _RANGES[element_type]
    if node.straight_through:
        steps = torch.round(scaled).detach() + (scaled - scaled.detach())
        return (steps if zero is None else steps + zero.to(steps.dtype)).clamp(low, high)
    steps = torch.round(scaled.detach()).double()
    shifted = steps if zero is None else steps + zero.double()
    return shifted.clamp(low, high).to(torch.int64).to(node.precision.computed(element_type))


def _target(node: Node, zero: Tensor | None, declared: int, index: int = 2) -> int:
    """Work out the quantised type: as an attribute says, as the zero point is stored, or unsigned 8 bits."""
    if declared:
        return declared
    if node.type_of(index):
        return node.type_of(index)
    return _BY_DTYPE.get(zero.dtype, T.UINT8) if zero is not None else T.UINT8


@operator("QuantizeLinear")
def quantize(
    x: Tensor,
    scale: Tensor,
    zero: Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
    node: Node,
) -> Tensor:
    """Divide by the scale, round half to even, add the zero point, saturate."""
    element_type = _target(node, zero, output_dtype)
    steps = aligned(scale, x, axis, block_size)
    origin = None if zero is None else aligned(zero, x, axis, block_size)
    scaled = x.to(steps.dtype) / steps
    if element_type in _RANGES:
        return rounded(scaled, origin, element_type, node)
    return node.precision.rounded(scaled, element_type, bool(saturate))


@operator("DequantizeLinear")
def dequantize(
    x: Tensor,
    scale: Tensor,
    zero: Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    node: Node,
) -> Tensor:
    """Subtract the zero point and multiply by the scale."""
    origin = None if zero is None else aligned(zero, x, axis, block_size)
    return difference(x, origin, scale.dtype) * aligned(scale, x, axis, block_size)


def dynamic_range(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scale and the (float) zero point that let unsigned 8 bits span the values and zero."""
    low, high = x.amin().clamp(max=0), x.amax().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, 1, scale)
    return scale, torch.round((-low / scale).clamp(0, 255)).detach()


@operator("DynamicQuantizeLinear")
def dynamic_quantize(x: Tensor, *, node: Node) -> tuple[Tensor, Tensor, Tensor]:
    """Quantise to unsigned 8 bits over the range that the values have."""
    scale, zero = dynamic_range(x)
    return rounded(x / scale, zero, T.UINT8, node), scale, zero.to(torch.uint8)


def _integers(product: Tensor, *factors: Tensor) -> Tensor:
    """Return an integer product as int32, or as it is where its factors are floats of integer value."""
    return product if any(f.is_floating_point() for f in factors) else product.to(torch.int32)


@operator("MatMulInteger")
def matmul_integer(a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None) -> Tensor:
    """Matrix product of integers, exact in float64."""
    rows = a_zero[..., None] if a_zero is not None and a_zero.numel() > 1 and a_zero.ndim == 1 else a_zero
    return _integers(difference(a, rows, torch.float64) @ difference(b, b_zero, torch.float64), a, b)


@operator("ConvInteger")
def conv_integer(
    x: Tensor,
    w: Tensor,
    x_zero: Tensor | None = None,
    w_zero: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolution of integers, exact in float64."""
    weights = difference(w, None if w_zero is None else aligned(w_zero, w, 0), torch.float64)
    shifted = difference(x, x_zero, torch.float64)
    y = conv(shifted, weights, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    return _integers(y, x, w)


@operator("QLinearMatMul")
def qlinear_matmul(
    a: Tensor,
    a_scale: Tensor,
    a_zero: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero: Tensor,
    y_scale: Tensor,
    y_zero: Tensor,
    *,
    node: Node,
) -> Tensor:
    """Matrix product of quantised matrices, quantised again."""
    rows = [value[..., None] if value.ndim == 1 and value.numel() > 1 else value for value in (a_scale, a_zero)]
    product = difference(a, rows[1], torch.float64) @ difference(b, b_zero, torch.float64)
    return rounded(product * (rows[0] * b_scale / y_scale), y_zero, _target(node, y_zero, 0, 7), node)


@operator("QLinearConv")
def qlinear_conv(
    x: Tensor,
    x_scale: Tensor,
    x_zero: Tensor,
    w: Tensor,
    w_scale: Tensor,
    w_zero: Tensor,
    y_scale: Tensor,
    y_zero: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
    node: Node,
) -> Tensor:
    """Convolution of a quantised map with quantised weights, quantised again; the bias has the product's scale."""
    dtype = x_scale.dtype
    weights = difference(w, aligned(w_zero, w, 0), dtype)
    bias = None if b is None else b.to(dtype)
    shifted = difference(x, x_zero, dtype)
    y = conv(shifted, weights, bias, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    scale = aligned(x_scale * w_scale / y_scale, y, 1)
    return rounded(y * scale, y_zero, _target(node, y_zero, 0, 7), node)

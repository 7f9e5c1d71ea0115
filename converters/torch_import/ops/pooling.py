"""Pools over windows and over whole maps."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.ops.window import Pads, extents, padded, paddings, reach, symmetric, windows
from agnostic.converters.torch_import.registry import Node, operator

_MEAN: dict[int, Callable[..., Tensor]] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_MAX: dict[int, Callable[..., Any]] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}


def _spatial(x: Tensor) -> list[int]:
    return list(range(2, x.ndim))


@operator("GlobalAveragePool")
def global_average_pool(x: Tensor) -> Tensor:
    """Mean of each map."""
    return x.mean(_spatial(x), keepdim=True)


@operator("GlobalMaxPool")
def global_max_pool(x: Tensor) -> Tensor:
    """Largest value of each map."""
    return x.amax(_spatial(x), keepdim=True)


@operator("GlobalLpPool")
def global_lp_pool(x: Tensor, *, p: int = 2) -> Tensor:
    """p-norm of each map."""
    norm: Tensor = torch.linalg.vector_norm(x, p, _spatial(x), keepdim=True)
    return norm


@operator("AveragePool")
def average_pool(
    x: Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Mean of each window, over the cells that count: the input's, and the padding's with count_include_pad."""
    rank = len(kernel_shape)
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    extent = extents(kernel_shape, dilations)
    border = paddings(x.shape[2:], extent, strides, auto_pad, pads)
    full = reach(x.shape[2:], extent, strides, border) if ceil_mode else border

    def mean(t: Tensor) -> Tensor:
        if max(dilations) == 1:
            return _MEAN[rank](t, kernel_shape, strides)
        return windows(t, extent, strides, dilations).mean(list(range(-rank, 0)))

    total = mean(padded(x, full))
    counted = border if count_include_pad else [(0, 0)] * rank
    if full == counted:
        return total
    cells = padded(x.new_ones(1, 1, *x.shape[2:]), counted, 1.0)
    missing = [(a - b, c - d) for (a, c), (b, d) in zip(full, counted, strict=True)]
    return total / mean(padded(cells, missing))


@operator("LpPool")
def lp_pool(
    x: Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    p: int = 2,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """p-norm of each window."""
    rank = len(kernel_shape)
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    extent = extents(kernel_shape, dilations)
    border = paddings(x.shape[2:], extent, strides, auto_pad, pads)
    border = reach(x.shape[2:], extent, strides, border) if ceil_mode else border
    cells = windows(padded(x, border), extent, strides, dilations)
    norm: Tensor = torch.linalg.vector_norm(cells, p, list(range(-rank, 0)))
    return norm


@operator("MaxPool")
def max_pool(
    x: Tensor,
    *,
    kernel_shape: list[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    storage_order: int = 0,
    strides: list[int] | None = None,
    node: Node,
) -> Tensor | tuple[Tensor, Tensor]:
    """Largest value of each window, and its index in the flattened input."""
    rank = len(kernel_shape)
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    extent = extents(kernel_shape, dilations)
    border = paddings(x.shape[2:], extent, strides, auto_pad, pads)
    border = reach(x.shape[2:], extent, strides, border) if ceil_mode else border
    if not node.wants(1):
        return _largest(x, kernel_shape, strides, border, dilations)
    y, cells = _MAX[rank](_lowered(x, border), kernel_shape, strides, 0, dilations, return_indices=True)
    return y, _flat_index(x, cells, border, storage_order)


def _largest(x: Tensor, kernel: list[int], strides: list[int], border: Pads, dilations: list[int]) -> Tensor:
    pads = symmetric(border)
    if not x.is_floating_point():
        cells = windows(_lowered(x, border), extents(kernel, dilations), strides, dilations)
        return cells.amax(list(range(-len(kernel), 0)))
    if pads is None or any(2 * p > k for p, k in zip(pads, kernel, strict=True)):
        x, pads = _lowered(x, border), [0] * len(kernel)
    y: Tensor = _MAX[len(kernel)](x, kernel, strides, pads, dilations)
    return y


def _lowered(x: Tensor, border: Pads) -> Tensor:
    """Pad with what no value is below."""
    return padded(x, border, -torch.inf if x.is_floating_point() else torch.iinfo(x.dtype).min)


def _flat_index(x: Tensor, cells: Tensor, border: Pads, column_major: int) -> Tensor:
    """Turn an index into a padded map into one into the whole flattened input."""
    size = list(x.shape[2:])
    lengths = [n + begin + end for n, (begin, end) in zip(size, border, strict=True)]
    places = []
    for length, (begin, _) in reversed(list(zip(lengths, border, strict=True))):
        places.append(cells % length - begin)
        cells = cells // length
    order = list(zip(reversed(places), size, strict=True))
    flat = torch.zeros_like(cells)
    for place, length in reversed(order) if column_major else order:
        flat = flat * length + place
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], *[1] * len(size))
    return flat + planes * x[0, 0].numel()


@operator("MaxUnpool")
def max_unpool(
    x: Tensor,
    indices: Tensor,
    output_shape: Tensor | None = None,
    *,
    kernel_shape: list[int],
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Put values back to where a MaxPool took them from; zero elsewhere."""
    strides = strides or [1] * len(kernel_shape)
    border = paddings(x.shape[2:], kernel_shape, strides, pads=pads)
    lengths = zip(x.shape[2:], strides, kernel_shape, border, strict=True)
    shape = [*x.shape[:2], *((n - 1) * s + k - begin - end for n, s, k, (begin, end) in lengths)]
    flat = x.new_zeros(torch.Size(shape).numel()).index_put((indices.reshape(-1),), x.reshape(-1))
    y = flat.reshape(shape)
    if output_shape is None:
        return y
    # The indices point into the map that the pool's attributes imply; what is asked for beyond it is empty.
    return padded(y, [(0, wanted - n) for wanted, n in zip(output_shape.tolist()[2:], shape[2:], strict=True)])

"""Convolutions of any rank from 1 to 3, and their transposes. Weights are tensors like any other."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.ops.window import extents, padded, paddings, spaced, symmetric
from agnostic.converters.torch_import.registry import operator

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@operator("Conv")
def conv(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolve x (n, c, *size) with w (m, c / group, *kernel)."""
    rank = w.ndim - 2
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    if auto_pad == "NOTSET" and pads is not None and pads[:rank] == pads[rank:]:  # the common case, at no cost
        return _CONV[rank](x, w, b, strides, pads[:rank], dilations, group)
    reach = paddings(x.shape[2:], extents(w.shape[2:], dilations), strides, auto_pad, pads)
    same = symmetric(reach)
    if same is None:
        x, same = padded(x, reach), [0] * rank
    return _CONV[rank](x, w, b, strides, same, dilations, group)


@operator("ConvTranspose")
def conv_transpose(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    output_padding: list[int] | None = None,
    output_shape: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Transpose of a convolution: x (n, c, *size) and w (c, m / group, *kernel)."""
    rank = w.ndim - 2
    dilations, strides, extra = dilations or [1] * rank, strides or [1] * rank, output_padding or [0] * rank
    full = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], strides, extents(w.shape[2:], dilations), strict=True)]
    if output_shape is None and auto_pad.startswith("SAME"):
        output_shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if output_shape is None:
        cut = paddings(x.shape[2:], full, strides, "VALID" if auto_pad == "VALID" else "NOTSET", pads)
    else:
        totals = [k + more - n for k, more, n in zip(full, extra, output_shape[-rank:], strict=True)]
        cut = [(t // 2, t - t // 2) if auto_pad == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]
    y = _TRANSPOSED[rank](x, w, None, strides, 0, 0, group, dilations)
    y = padded(y, [(-begin, more - end) for (begin, end), more in zip(cut, extra, strict=True)])
    return y if b is None else y + b.reshape(-1, *[1] * rank)


@operator("Col2Im")
def col2im(
    x: Tensor,
    image_shape: Tensor,
    block_shape: Tensor,
    *,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Sum blocks x (n, c prod(block), windows) into an image (n, c, *size): the transpose of a depthwise patch view."""
    size, block = image_shape.tolist(), block_shape.tolist()
    rank = len(size)
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    reach = paddings(size, extents(block, dilations), strides, pads=pads)
    grid = [n + sum(p) for n, p in zip(size, reach, strict=True)]
    flat = torch.arange(grid_cells(grid), device=x.device).reshape(1, 1, *grid)
    for axis, (k, s) in enumerate(zip(extents(block, dilations), strides, strict=True), start=2):
        flat = flat.unfold(axis, k, s)
    flat = spaced(flat, dilations)
    order = [*range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank)]
    cells = flat.permute(0, 1, *order).reshape(-1)
    channels = x.shape[1] // grid_cells(block)
    values = x.reshape(x.shape[0], channels, -1)
    image = values.new_zeros(x.shape[0], channels, grid_cells(grid)).index_add(2, cells, values)
    return padded(image.reshape(x.shape[0], channels, *grid), [(-begin, -end) for begin, end in reach])


def grid_cells(lengths: Sequence[int]) -> int:
    """Count the cells of a grid."""
    count = 1
    for length in lengths:
        count *= length
    return count


@operator("DeformConv")
def deform_conv(
    x: Tensor,
    w: Tensor,
    offset: Tensor,
    b: Tensor | None = None,
    mask: Tensor | None = None,
    *,
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] = (),
    offset_group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:
    """Convolve x (n, c, h, w), read bilinearly at places moved by offset (n, 2 g k, oh, ow) (Dai et al., 2017)."""
    (kh, kw), (n, c, h, width) = w.shape[2:], x.shape
    (dy, dx), (sy, sx) = dilations or [1, 1], strides or [1, 1]
    top, left = (pads or [0, 0])[:2]
    oh, ow = offset.shape[2:]
    moved = offset.reshape(n * offset_group, kh * kw, 2, oh, ow)
    rows = torch.arange(kh, device=x.device)[:, None].expand(kh, kw).reshape(-1, 1, 1) * dy - top
    columns = torch.arange(kw, device=x.device).repeat(kh).reshape(-1, 1, 1) * dx - left
    ys = rows + torch.arange(oh, device=x.device)[:, None] * sy + moved[:, :, 0]
    xs = columns + torch.arange(ow, device=x.device) * sx + moved[:, :, 1]
    # Bilinear reading at cell coordinates, through a sampler whose corners are -1 and 1 (a single cell needs room).
    places = torch.stack([2 * xs / (width + 1) - 1 + 2 / (width + 1), 2 * ys / (h + 1) - 1 + 2 / (h + 1)], -1)
    per_group = F.pad(x.reshape(n * offset_group, c // offset_group, h, width), [1, 1, 1, 1])
    taps = F.grid_sample(per_group, places.flatten(1, 2), align_corners=True)
    taps = taps.reshape(n, offset_group, -1, kh * kw, oh, ow)
    if mask is not None:
        taps = taps * mask.reshape(n, offset_group, 1, kh * kw, oh, ow)
    patches = taps.reshape(n, group, -1, oh * ow)
    y = torch.einsum("gmk,ngkp->ngmp", w.reshape(group, w.shape[0] // group, -1), patches).reshape(n, -1, oh, ow)
    return y if b is None else y + b[:, None, None]

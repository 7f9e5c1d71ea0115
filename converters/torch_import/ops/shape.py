"""Changes of shape. Shapes are read when the model runs, so batch and size stay free."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator, plain

plain(Identity=lambda x: x)

_NUMPY_PADS = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@operator("Shape")
def shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    """Lengths of the axes as int64."""
    return torch.tensor(x.shape[start:end], dtype=torch.int64, device=getattr(x, "device", None))


@operator("Size")
def size(x: Tensor) -> Tensor:
    """Count of elements."""
    return torch.tensor(x.numel(), device=x.device)


@operator("Reshape")
def reshape(x: Tensor, to: Tensor, *, allowzero: int = 0) -> Tensor:
    """Give the elements a new shape: -1 is inferred, 0 copies the length unless it is allowed."""
    lengths = to.tolist()
    if not allowzero:
        lengths = [x.shape[i] if n == 0 else n for i, n in enumerate(lengths)]
    return x.reshape(lengths)


@operator("Flatten")
def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """Make a matrix: the axes before the given one by the rest."""
    first = axis + x.ndim if axis < 0 else axis
    return x.reshape(torch.Size(x.shape[:first]).numel(), torch.Size(x.shape[first:]).numel())


@operator("Transpose")
def transpose(x: Tensor, *, perm: list[int] | None = None) -> Tensor:
    """Permute the axes, by default reverse them."""
    return x.permute(perm or list(range(x.ndim))[::-1])


@operator("Squeeze")
def squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Drop axes of length one."""
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.reshape(-1).tolist()))


@operator("Unsqueeze")
def unsqueeze(x: Tensor, axes: Tensor) -> Tensor:
    """Insert axes of length one, counted in the result."""
    chosen = axes.reshape(-1).tolist()
    if len(chosen) == 1:
        return x.unsqueeze(chosen[0])
    rank = x.ndim + len(chosen)
    for axis in sorted(axis % rank for axis in chosen):
        x = x.unsqueeze(axis)
    return x


@operator("Expand")
def expand(x: Tensor, to: Tensor) -> Tensor:
    """Broadcast x and a shape against each other."""
    shape = torch.broadcast_shapes(x.shape, tuple(to.tolist()))  # type: ignore[no-untyped-call]
    return x.expand(shape)


@operator("Tile")
def tile(x: Tensor, repeats: Tensor) -> Tensor:
    """Repeat along each axis."""
    return x.repeat(repeats.tolist())


@operator("Concat")
def concat(*tensors: Any, axis: int) -> Any:
    """Join along an axis."""
    if isinstance(tensors[0], np.ndarray):
        return np.concatenate(tensors, axis)
    return torch.cat(tensors, axis)


@operator("Split")
def split(
    x: Tensor, lengths: Tensor | None = None, *, axis: int = 0, num_outputs: int | None = None, node: Node
) -> tuple[Tensor, ...]:
    """Cut along an axis into the given lengths, or into equal ones of which the last may be shorter."""
    if lengths is not None:
        return tuple(torch.split(x, lengths.tolist(), axis))
    parts = num_outputs or len(node.outputs)
    return tuple(torch.split(x, -(-x.shape[axis] // parts), axis))


@operator("Slice")
def slice_(x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None) -> Tensor:
    """Take ranges along axes, backwards too."""
    begins, stops = starts.tolist(), ends.tolist()
    chosen = axes.tolist() if axes is not None else range(len(begins))
    strides = steps.tolist() if steps is not None else [1] * len(begins)
    for axis, begin, stop, step in zip(chosen, begins, stops, strides, strict=True):
        x = _sliced(x, axis, begin, stop, step)
    return x


def _sliced(x: Tensor, axis: int, begin: int, stop: int, step: int) -> Tensor:
    n = x.shape[axis]
    if step > 0:
        first, last, _ = slice(begin, stop, step).indices(n)
        cut = x.narrow(axis, first, max(last - first, 0))
        return cut if step == 1 else cut[(slice(None),) * (axis % x.ndim) + (slice(None, None, step),)]
    # Below -n a start or an end is clamped; Python's slice would wrap it around once more.
    first = min(begin + n if begin < 0 else begin, n - 1)
    last = max(stop + n if stop < 0 else stop, -1)
    return x.index_select(axis, torch.tensor(range(first, last, step), dtype=torch.int64, device=x.device))


@operator("Pad")
def pad(
    x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None, *, mode: str = "constant"
) -> Tensor:
    """Lengthen both ends of axes with a constant, the edge, a reflection or a period; negative pads crop."""
    chosen = axes.tolist() if axes is not None else list(range(x.ndim))
    amounts = pads.tolist()
    begins, ends = [0] * x.ndim, [0] * x.ndim
    for axis, begin, end in zip(chosen, amounts[: len(chosen)], amounts[len(chosen) :], strict=True):
        begins[axis], ends[axis] = begin, end
    if mode == "constant":
        border = [cell for pair in reversed(list(zip(begins, ends, strict=True))) for cell in pair]
        return F.pad(x, border, value=0 if value is None else value.item())
    for axis, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        if begin or end:
            x = _padded_by_index(x, axis, begin, end, mode)
    return x


def _padded_by_index(x: Tensor, axis: int, begin: int, end: int, mode: str) -> Tensor:
    cells = np.arange(x.shape[axis])[max(-begin, 0) : x.shape[axis] - max(-end, 0)]
    places = np.pad(cells, (max(begin, 0), max(end, 0)), mode=_NUMPY_PADS[mode])  # type: ignore[call-overload]
    return x.index_select(axis, torch.from_numpy(places).to(x.device))


@operator("DepthToSpace")
def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Move channels into blocks of pixels: (n, c b b, h, w) becomes (n, c, h b, w b)."""
    n, c, h, w = x.shape
    if mode == "CRD":
        return F.pixel_shuffle(x, blocksize)
    blocks = x.reshape(n, blocksize, blocksize, c // blocksize**2, h, w)
    return blocks.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * blocksize, w * blocksize)


@operator("SpaceToDepth")
def space_to_depth(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """Move blocks of pixels into channels: (n, c, h b, w b) becomes (n, c b b, h, w)."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // blocksize, blocksize, w // blocksize, blocksize)
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return blocks.permute(order).reshape(n, -1, h // blocksize, w // blocksize)


@operator("CenterCropPad")
def center_crop_pad(x: Tensor, to: Tensor, *, axes: list[int] | None = None) -> Tensor:
    """Crop or zero-pad the axes around their centre to the lengths."""
    for axis, wanted in zip(axes or range(x.ndim), to.tolist(), strict=True):
        n = x.shape[axis]
        if wanted < n:
            x = x.narrow(axis, (n - wanted) // 2, wanted)
        elif wanted > n:
            begin = (wanted - n) // 2
            border = [0, 0] * (x.ndim - 1 - axis % x.ndim) + [begin, wanted - n - begin]
            x = F.pad(x, border)
    return x

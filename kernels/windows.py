"""Windows that slide over a grid of positions: the words of a text, the pixels of a picture, the voxels of a volume.

A box is [start, stop) along each axis of the grid; n boxes over a grid of d axes are an int64 array (n, d, 2).
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._canvas import as_bits, canvas, sample_and_fill
from agnostic.kernels._checks import Array, has_shape
from agnostic.kernels._jit import jit
from agnostic.kernels._tiles import in_tiles

Boxes = NDArray[np.int64]

# The loops know grids of three axes; those with fewer get leading axes of length one.
_AXES = 3


class Spread(NamedTuple):
    """Scores of windows brought back to the positions."""

    values: NDArray[np.float64]  # (*shape), or (T, *shape); NaN where no window was
    coverage: NDArray[np.int64]  # (*shape): how many windows covered the position


def windows(shape: Sequence[int], size: int | Sequence[int], stride: int | Sequence[int]) -> Boxes:
    """List windows that together cover every position of a grid, in raster order.

    All are of one size: the last one along an axis is moved back inside the grid, so it may overlap its neighbour more
    than the others do, and a size larger than the grid is cut to the grid.

    Args:
        shape: lengths of the grid's axes.
        size: lengths of the window, or one for all axes.
        stride: from one window to the next, at most the size.

    Returns:
        (n, axes, 2) boxes.

    >>> windows((7,), size=3, stride=2)[:, 0].tolist()
    [[0, 3], [2, 5], [4, 7]]
    >>> windows((8,), size=3, stride=3)[:, 0].tolist()
    [[0, 3], [3, 6], [5, 8]]
    """
    axes = len(shape)
    sizes, strides = _per_axis("size", size, axes), _per_axis("stride", stride, axes)
    for length, extent, step in zip(shape, sizes, strides, strict=True):
        if length < 1 or not 1 <= step <= extent:
            raise ValueError(
                f"windows of size {extent} every {step} over {length} positions leave gaps, expected "
                "1 <= stride <= size and at least one position"
            )
    starts = [_starts(length, extent, step) for length, extent, step in zip(shape, sizes, strides, strict=True)]
    corners = np.array(list(product(*starts)), np.int64)
    return np.stack([corners, corners + np.minimum(sizes, shape)], axis=-1)


def occlude(x: Array, fill: Array | float, boxes: Boxes, out: Array) -> None:
    """Write one copy of `x` per box, in which the box is replaced by `fill`.

    Args:
        x: (*channels, *positions), with as many position axes as the boxes have, at most 3.
        fill: an array that broadcasts to x, or a number.
        boxes: (n, axes, 2) integers within the grid.
        out: (n, *channels, *positions), written; any strides.

    >>> out = np.empty((2, 3))
    >>> occlude(np.array([1.0, 2, 3]), 0.0, np.array([[[0, 1]], [[1, 3]]]), out)
    >>> out
    array([[0., 2., 3.],
           [1., 0., 0.]])
    """
    x, fill = sample_and_fill(x, fill, out)
    axes = boxes.shape[1] if boxes.ndim == 3 else 0
    shape = x.shape[x.ndim - axes :]
    has_shape("boxes", boxes, (len(out), len(shape), 2))
    rows = canvas(as_bits(out), axes)
    _, corners = _in_three_axes(boxes, shape)
    corners[:, -1] *= rows.repeat  # channels that come last lengthen the last axis
    grid = (rows.rows.shape[1], *(1,) * (_AXES - axes), *shape[:-1], shape[-1] * rows.repeat)
    on, off = (rows.like(as_bits(array)).reshape(grid) for array in (x, fill))
    in_tiles(_occlude, len(out), on, off, corners, rows.rows.reshape(len(out), *grid), work=out.size)
    rows.commit(as_bits(out))


def spread(scores: Array, boxes: Boxes, shape: Sequence[int]) -> Spread:
    """Give every position the mean of the scores of the windows that cover it.

    Args:
        scores: (n,), or (n, T) for the scores of T targets.
        boxes: (n, axes, 2) integers within the grid.
        shape: lengths of the grid's axes.

    >>> spread(np.array([1.0, 4.0]), np.array([[[0, 2]], [[1, 4]]]), (4,)).values
    array([1. , 2.5, 4. , 4. ])
    """
    has_shape("boxes", boxes, (None, len(shape), 2))
    has_shape("scores", scores, (len(boxes), None)[: max(scores.ndim, 1)])
    grid, corners = _in_three_axes(boxes, shape)
    columns = np.ascontiguousarray(scores, np.float64).reshape(len(boxes), scores[:1].size)
    sums, coverage = np.zeros((columns.shape[1], *grid)), np.zeros(grid, np.int64)
    _spread(columns, corners, sums, coverage)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no window was
        values = sums / coverage
    return Spread(values.reshape(*scores.shape[1:], *shape), coverage.reshape(shape))


def _per_axis(name: str, value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    values = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(values) != axes:
        raise ValueError(f"{name} has {len(values)} lengths, expected one, or one for each of {axes} axes")
    return values


def _starts(length: int, size: int, stride: int) -> list[int]:
    last = max(length - size, 0)
    return [*range(0, last, stride), last]


def _in_three_axes(boxes: Boxes, shape: Sequence[int]) -> tuple[tuple[int, ...], Boxes]:
    """Check boxes against their grid and give both leading axes of length one."""
    if not 1 <= len(shape) <= _AXES:
        raise ValueError(f"the grid of positions has {len(shape)} axes, expected 1 to {_AXES}")
    if boxes.dtype.kind not in "iu":
        raise ValueError(f"boxes is {boxes.dtype}, expected integers")
    start, stop = boxes[..., 0], boxes[..., 1]
    if (start < 0).any() or (stop < start).any() or (stop > np.asarray(shape)).any():
        raise ValueError(f"boxes leave the grid of positions {tuple(shape)}, expected 0 <= start <= stop <= length")
    missing = _AXES - len(shape)
    corners = np.tile(np.array([0, 1], np.int64), (len(boxes), _AXES, 1))
    corners[:, missing:] = boxes
    return (1,) * missing + tuple(shape), corners


@jit
def _occlude(start: int, stop: int, x: Array, fill: Array, boxes: Boxes, out: Array) -> None:
    for i in range(start, stop):
        (z0, z1), (y0, y1), (x0, x1) = boxes[i]
        for plane in range(x.shape[0]):
            for z in range(x.shape[1]):
                for y in range(x.shape[2]):
                    _copy(x[plane, z, y], out[i, plane, z, y])
                    if z0 <= z < z1 and y0 <= y < y1:
                        _copy(fill[plane, z, y, x0:x1], out[i, plane, z, y, x0:x1])


@jit
def _copy(source: Array, target: Array) -> None:
    # A slice assignment would do, but takes Numba seconds to compile.
    for i in range(len(source)):
        target[i] = source[i]


@jit
def _spread(scores: Array, boxes: Boxes, sums: Array, coverage: Array) -> None:
    for i in range(len(boxes)):
        (z0, z1), (y0, y1), (x0, x1) = boxes[i]
        for z in range(z0, z1):
            for y in range(y0, y1):
                for x in range(x0, x1):
                    coverage[z, y, x] += 1
                    for t in range(len(sums)):
                        sums[t, z, y, x] += scores[i, t]

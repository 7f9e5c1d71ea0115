"""Bilinear resizing of stacks of maps, with half-pixel centres and clamped edges.

This is what ONNX calls ``half_pixel`` and ``torch.nn.functional.interpolate`` does with ``align_corners=False``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import contiguous, has_dtype, has_shape
from agnostic.kernels._jit import jit
from agnostic.kernels._tiles import in_tiles

Maps = NDArray[np.float32]
Indices = NDArray[np.uint32]


class Taps(NamedTuple):
    """The two source indices that each target index lies between, and its share of the second."""

    low: Indices
    high: Indices
    share: NDArray[np.float32]


def taps(source: int, target: int) -> Taps:
    """Find where the pixels of an axis of `target` pixels fall on one of `source` pixels.

    >>> taps(2, 4).share
    array([0.  , 0.25, 0.75, 0.  ], dtype=float32)
    """
    place = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
    low = place.astype(np.uint32)
    return Taps(low, np.minimum(low + 1, source - 1).astype(np.uint32), (place - low).astype(np.float32))


def bilinear(maps: Maps, shape: tuple[int, int]) -> Maps:
    """Resize maps (n, h, w) float32 to (n, *shape).

    >>> bilinear(np.array([[[0, 1]]], np.float32), (1, 4))
    array([[[0.  , 0.25, 0.75, 1.  ]]], dtype=float32)
    """
    out = np.empty((len(maps), *shape), np.float32)
    crop(maps, np.zeros((len(maps), 2), np.int64), shape, out)
    return out


def upsample_normalise(maps: Maps, shape: tuple[int, int], out: Maps | None = None) -> Maps:
    """Resize maps (n, h, w) float32 to (n, *shape), then stretch each to 0..1: the masks of Score-CAM.

    A constant map gives zeros: it would hide everything or nothing.

    Paper: Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", 2020.

    >>> upsample_normalise(np.array([[[3, 5]], [[7, 7]]], np.float32), (1, 2))
    array([[[0., 1.]],
    <BLANKLINE>
           [[0., 0.]]], dtype=float32)
    """
    if not np.isfinite(maps).all():
        raise ValueError("maps hold NaN or infinite values, expected finite ones")
    out = np.empty((len(maps), *shape), np.float32) if out is None else out
    has_shape("out", out, (len(maps), *shape))
    crop(maps, np.zeros((len(maps), 2), np.int64), shape, out)
    with contiguous(out) as stretched:
        in_tiles(_stretch, len(stretched), stretched, work=stretched.size)
    return out


def crop(maps: Maps, offsets: NDArray[np.int64], size: tuple[int, int], out: Maps) -> None:
    """Write windows of maps (n, h, w) resized to `size`: out[i] begins at row and column offsets[i] of the resized map.

    The resized maps themselves are never made.

    >>> out = np.empty((1, 1, 2), np.float32)
    >>> crop(np.array([[[0, 1]]], np.float32), np.array([[0, 1]]), (1, 4), out)
    >>> out
    array([[[0.25, 0.75]]], dtype=float32)
    """
    has_dtype("maps", maps, np.float32)
    has_dtype("out", out, np.float32)
    has_shape("maps", maps, (len(out), None, None))
    has_shape("out", out, (None, None, None))
    has_shape("offsets", offsets, (len(out), 2))
    if not maps.size and len(out):
        raise ValueError(f"maps has shape {maps.shape}, expected at least one pixel each")
    if (offsets < 0).any() or (offsets + out.shape[1:] > size).any():
        raise ValueError(f"windows of {out.shape[1:]} at these offsets leave the resized map {size}")
    rows, columns = taps(maps.shape[1], size[0]), taps(maps.shape[2], size[1])
    with contiguous(out) as target:
        in_tiles(_crop, len(out), np.ascontiguousarray(maps), offsets, *rows, *columns, target, work=out.size)


@jit
def _crop(
    start: int,
    stop: int,
    maps: Maps,
    offsets: NDArray[np.int64],
    above: Indices,
    below: Indices,
    down: Maps,
    left: Indices,
    right: Indices,
    across: Maps,
    out: Maps,
) -> None:
    """Blend two rows of the source into one, then read every target pixel of that row between two of its pixels."""
    line = np.empty(maps.shape[2], np.float32)
    for i in range(start, stop):
        first_y, first_x = offsets[i]
        last_x = first_x + out.shape[2]
        before, after, part = left[first_x:last_x], right[first_x:last_x], across[first_x:last_x]
        for y in range(out.shape[1]):
            upper, lower = maps[i, above[first_y + y]], maps[i, below[first_y + y]]
            share = down[first_y + y]
            for j in range(len(line)):
                line[j] = upper[j] + (lower[j] - upper[j]) * share
            target = out[i, y]
            for x in range(len(part)):
                a, b = line[before[x]], line[after[x]]
                target[x] = a + (b - a) * part[x]


@jit
def _stretch(start: int, stop: int, maps: Maps) -> None:
    for i in range(start, stop):
        low, high = maps[i].min(), maps[i].max()
        reach = high - low
        for y in range(maps.shape[1]):
            for x in range(maps.shape[2]):
                maps[i, y, x] = (maps[i, y, x] - low) / reach if reach > 0 else np.float32(0)

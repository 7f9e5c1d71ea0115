"""Colour pictures at a model's size and in its numbers, with the very pixels that Pillow's bilinear filter gives.

Pillow averages over all that a target pixel covers, in whole numbers: weights of 22 bits, and 8 bits a channel between
its two passes. The same sums are formed here, in a layout that processors add up several at a time, and each pixel goes
straight to the number that a model wants for it. Ours goes across and then down; newer releases of Pillow do it the
other way round for some sizes, which rounds otherwise, so who needs the very pixels has to ask Pillow once for a size.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import has_dtype, has_shape
from agnostic.kernels._jit import jit

Pixels = NDArray[np.uint8]
Planes = NDArray[np.float32]
Whole = NDArray[np.int32]
Indices = NDArray[np.uint32]

_BITS = 22
_HALF = np.int32(1 << (_BITS - 1))
_DEPTH = 3


class Weights(NamedTuple):
    """What each target pixel of an axis is the mean of: its first source pixel, how many, and their weights."""

    first: Indices
    many: Indices
    weights: Whole


@lru_cache(64)
def weights(source: int, target: int) -> Weights:
    """Find what the pixels of an axis of `target` pixels are made of, on one of `source` pixels.

    >>> weights(4, 2).weights[0] / 2**22
    array([0.42857146, 0.42857146, 0.14285707, 0.        , 0.        ])
    """
    reach = max(source / target, 1.0)
    centres = (np.arange(target) + 0.5) * (source / target)
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    count = np.minimum((centres + reach + 0.5).astype(np.int64), source) - first
    places = np.arange(2 * int(np.ceil(reach)) + 1)
    # Times the inverse and not over the reach, as Pillow does: the other rounds otherwise.
    tents = np.maximum(1 - abs((first[:, None] + places - centres[:, None] + 0.5) * (1.0 / reach)), 0)
    tents[places >= count[:, None]] = 0
    # Summed one after the other, as Pillow does: another order may round to another weight.
    shares = tents / np.cumsum(tents, axis=1)[:, -1:]
    whole = (shares * (1 << _BITS) + 0.5).astype(np.int32)
    return Weights(first.astype(np.uint32), count.astype(np.uint32), whole)


def resample(pixels: Pixels, tables: Planes, out: Planes) -> None:
    """Bring pixels (H, W, 3) uint8 to the size of `out` (3, h, w) float32, each looked up in its channel's table.

    Args:
        pixels: the picture.
        tables: (3, 256) float32, the number that becomes of each value.
        out: where the planes go, of any strides.

    >>> out = np.empty((3, 1, 1), np.float32)
    >>> resample(np.array([[[0, 10, 20], [100, 30, 20]]], np.uint8), np.tile(np.arange(256, dtype=np.float32), (3, 1)), out)
    >>> out.ravel()
    array([50., 20., 20.], dtype=float32)
    """  # noqa: E501
    has_dtype("pixels", pixels, np.uint8)
    has_dtype("tables", tables, np.float32)
    has_dtype("out", out, np.float32)
    has_shape("pixels", pixels, (None, None, _DEPTH))
    has_shape("tables", tables, (_DEPTH, 256))
    has_shape("out", out, (_DEPTH, None, None))
    if not pixels.size or not out.size:
        raise ValueError(f"pixels of shape {pixels.shape} to {out.shape}: expected at least one pixel each")
    height, width = out.shape[1:]
    lines = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    narrow = np.empty((len(pixels), _DEPTH * width), np.uint8)
    _across(lines, *weights(pixels.shape[1], width), narrow)
    _down(narrow, *weights(len(pixels), height), np.ascontiguousarray(tables), out)


@jit
def _across(lines: Pixels, first: Indices, many: Indices, weight: Whole, out: Pixels) -> None:
    """Sum up source pixels along each line, the three channels side by side."""
    one, two, depth = np.uint32(1), np.uint32(2), np.uint32(_DEPTH)
    for y in range(len(lines)):
        line, target = lines[y], out[y]
        for x in range(len(first)):
            red = green = blue = _HALF
            share, at = weight[x], depth * first[x]
            for k in range(many[x]):
                part = share[np.uint32(k)]
                red += np.int32(line[at]) * part
                green += np.int32(line[at + one]) * part
                blue += np.int32(line[at + two]) * part
                at += depth
            place = depth * np.uint32(x)
            target[place], target[place + one], target[place + two] = red >> _BITS, green >> _BITS, blue >> _BITS


@jit
def _down(lines: Pixels, first: Indices, many: Indices, weight: Whole, tables: Planes, out: Planes) -> None:
    """Sum up whole lines, then look every pixel up and part the channels."""
    total = np.empty(lines.shape[1], np.int32)
    depth = np.uint32(_DEPTH)
    for y in range(len(first)):
        total[:] = _HALF
        for k in range(many[y]):
            part, line = weight[y, k], lines[first[y] + k]
            for i in range(len(total)):
                total[i] += np.int32(line[i]) * part
        for channel in range(_DEPTH):
            table, target, at = tables[channel], out[channel, y], np.uint32(channel)
            for x in range(len(target)):
                target[x] = table[np.uint32(total[at] >> _BITS)]
                at += depth

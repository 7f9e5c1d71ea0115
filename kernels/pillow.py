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
Words = NDArray[np.uint64]

_BITS = np.int32(22)
_HALF = np.int32(1 << 21)
_DEPTH = 3
_1, _2, _3, _4, _5, _6, _7 = (np.uint32(number) for number in range(1, 8))
_8, _16, _32 = np.uint64(8), np.uint64(16), np.uint64(32)
_BYTES, _QUARTERS, _HALVES = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(0x00000000FFFFFFFF)


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
    # Across a line the weights change from pixel to pixel; with columns for lines, many pixels have the same ones.
    columns = _turned(_filled(pixels.reshape(len(pixels), -1)))
    narrow = np.empty((_eights(_DEPTH * width), columns.shape[1]), np.uint8)
    _across(columns, *weights(pixels.shape[1], width), narrow)
    _down(_turned(narrow), *weights(len(pixels), height), np.ascontiguousarray(tables), out)


def _eights(count: int) -> int:
    return -(-count // 8) * 8


def _filled(lines: Pixels) -> Pixels:
    """Make both lengths multiples of eight, with anything in what is added."""
    shape = (_eights(lines.shape[0]), _eights(lines.shape[1]))
    if shape == lines.shape:
        return np.ascontiguousarray(lines)
    filled = np.empty(shape, np.uint8)
    filled[: len(lines), : lines.shape[1]] = lines
    return filled


def _turned(lines: Pixels) -> Pixels:
    """Make lines of columns, of both a multiple of eight."""
    out = np.empty(lines.shape[::-1], np.uint8)
    _turn(lines.view(np.uint64), out.view(np.uint64))
    return out


@jit
def _turn(lines: Words, out: Words) -> None:
    """Turn squares of eight bytes on a side: halves change places, then quarters, then single bytes (little-endian)."""
    for y in range(len(lines) // 8):
        for x in range(lines.shape[1]):
            above, left = np.uint32(8 * y), np.uint32(8 * x)
            a, b, c, d = lines[above, x], lines[above + _1, x], lines[above + _2, x], lines[above + _3, x]
            e, f, g, h = lines[above + _4, x], lines[above + _5, x], lines[above + _6, x], lines[above + _7, x]
            a, e = _swapped(a, e, _32, _HALVES)
            b, f = _swapped(b, f, _32, _HALVES)
            c, g = _swapped(c, g, _32, _HALVES)
            d, h = _swapped(d, h, _32, _HALVES)
            a, c = _swapped(a, c, _16, _QUARTERS)
            b, d = _swapped(b, d, _16, _QUARTERS)
            e, g = _swapped(e, g, _16, _QUARTERS)
            f, h = _swapped(f, h, _16, _QUARTERS)
            a, b = _swapped(a, b, _8, _BYTES)
            c, d = _swapped(c, d, _8, _BYTES)
            e, f = _swapped(e, f, _8, _BYTES)
            g, h = _swapped(g, h, _8, _BYTES)
            out[left, y], out[left + _1, y], out[left + _2, y], out[left + _3, y] = a, b, c, d
            out[left + _4, y], out[left + _5, y], out[left + _6, y], out[left + _7, y] = e, f, g, h


@jit
def _swapped(one: np.uint64, other: np.uint64, by: np.uint64, mask: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Let the upper parts of one word and the lower parts of another change places."""
    differs = ((one >> by) ^ other) & mask
    return one ^ (differs << by), other ^ differs


@jit
def _across(columns: Pixels, first: Indices, many: Indices, weight: Whole, out: Pixels) -> None:
    """Sum up whole columns, channel by channel."""
    total = np.empty(columns.shape[1], np.int32)
    for x in range(len(first)):
        for channel in range(_DEPTH):
            total[:] = _HALF
            for k in range(many[x]):
                part, column = weight[x, k], columns[_DEPTH * (first[x] + k) + channel]
                for i in range(len(total)):
                    total[i] += np.int32(column[i]) * part
            target = out[_DEPTH * x + channel]
            for i in range(len(total)):
                target[i] = total[i] >> _BITS


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

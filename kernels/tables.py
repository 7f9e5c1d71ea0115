"""Pixels turned into a model's numbers: a channel has at most 256 values, so each is computed once and looked up."""

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import has_dtype, has_shape
from agnostic.kernels._jit import jit

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float32]


def lookup(pixels: Pixels, tables: Numbers, out: Numbers) -> None:
    """Look pixels (h, w, c) uint8 up, channel by channel, and write planes (c, h, w) float32.

    Args:
        pixels: of any strides.
        tables: (c, 256) float32, what becomes of each value.
        out: (c, h, w) float32, of any strides.

    >>> out = np.empty((2, 1, 2), np.float32)
    >>> lookup(np.array([[[0, 1], [2, 3]]], np.uint8), np.arange(512, dtype=np.float32).reshape(2, 256), out)
    >>> out.tolist()
    [[[0.0, 2.0]], [[257.0, 259.0]]]
    """
    has_dtype("pixels", pixels, np.uint8)
    has_dtype("tables", tables, np.float32)
    has_dtype("out", out, np.float32)
    has_shape("pixels", pixels, (None, None, len(tables)))
    has_shape("tables", tables, (None, 256))
    has_shape("out", out, (len(tables), *pixels.shape[:2]))
    _lookup(pixels, np.ascontiguousarray(tables), out)


@jit
def _lookup(pixels: Pixels, tables: Numbers, out: Numbers) -> None:
    for y in range(pixels.shape[0]):
        line = pixels[y]
        for channel in range(pixels.shape[2]):
            table, target = tables[channel], out[channel, y]
            # Unsigned, so that nobody asks whether an index counts from the end.
            for x in range(len(target)):
                target[x] = table[line[np.uint32(x), np.uint32(channel)]]

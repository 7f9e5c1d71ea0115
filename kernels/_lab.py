"""Pictures as planes of CIE L*a*b*, the colour space in which distance means difference to the eye.

Constants: IEC 61966-2-1 (sRGB) with white point D65, 2 degree observer; CIE 15 with the customary decimals 0.008856 and
7.787.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import Array
from agnostic.kernels._jit import jit
from agnostic.kernels._tiles import in_tiles

Planes = NDArray[np.float64]

# Rows: X, Y, Z of linear red, green and blue.
_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab_planes(picture: Array) -> Planes:
    """Stretch a picture (H, W, 3) to 0..1 and convert it to (3, H, W) planes of L, a and b.

    >>> lab_planes(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))[0]
    array([[  0., 100.]])
    """
    linear = np.ascontiguousarray(_on_values(_linear, picture))
    planes = np.empty((3, *picture.shape[:2]))
    in_tiles(_to_lab, len(linear), linear, _XYZ, _WHITE, planes, work=linear.size)
    return planes


def grey_planes(picture: Array) -> Planes:
    """Stretch a grey picture (H, W) to 0..1 and give it (3, H, W) planes, two of them empty."""
    planes = np.zeros((3, *picture.shape))
    planes[0] = _on_values(lambda values: values, picture)
    return planes


def _on_values(curve: Callable[[Planes], Planes], picture: Array) -> Planes:
    """Stretch to 0..1, then bend by `curve`; a uint8 picture has 256 values, whatever its size."""
    if picture.dtype == np.uint8:
        table = np.arange(256) * (1.0 / 255)
        return curve(_stretched(table, table[picture.min()], table[picture.max()]))[picture]
    values = picture.astype(np.float64)
    return curve(_stretched(values, values.min(), values.max()))


def _stretched(values: Array, low: float, high: float) -> Planes:
    return (values - low) / (high - low) if high > low else values - low


def _linear(values: Planes) -> Planes:
    """Undo the sRGB transfer curve."""
    bent = values > 0.04045
    # Below the bend the power is not used; keeping its argument at the bend spares it negative bases.
    powers = np.power((np.where(bent, values, 0.04045) + 0.055) / 1.055, 2.4)
    return np.where(bent, powers, values / 12.92)


@jit
def _to_lab(start: int, stop: int, linear: Planes, xyz: Planes, white: Planes, planes: Planes) -> None:
    bent = np.empty(3)
    for y in range(start, stop):
        for x in range(linear.shape[1]):
            for axis in range(3):
                light = 0.0
                for colour in range(3):
                    light += linear[y, x, colour] * xyz[axis, colour]
                light /= white[axis]
                bent[axis] = np.cbrt(light) if light > 0.008856 else 7.787 * light + 16.0 / 116.0
            planes[0, y, x] = 116.0 * bent[1] - 16.0
            planes[1, y, x] = 500.0 * (bent[0] - bent[1])
            planes[2, y, x] = 200.0 * (bent[1] - bent[2])

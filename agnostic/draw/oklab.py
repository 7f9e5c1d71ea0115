"""OKLab: a space of colours in which equal distances look equally far apart.

B. Ottosson, "A perceptual color space for image processing", 2020. Lightness runs from 0 (black) to 1 (white); a and b
hold the hue and the chroma. Every colour map of the package is built here and not in RGB, so that its steps are even
to the eye.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Linear sRGB -> the three cone responses, and the cube roots of those -> lightness, a, b.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_CONES = np.linalg.inv(_CONES)
_FROM_OPPONENTS = np.linalg.inv(_OPPONENTS)


def to_oklab(rgb: npt.ArrayLike) -> Floats:
    """Convert sRGB in 0..1, (..., 3), to OKLab, (..., 3).

    >>> to_oklab([1.0, 1.0, 1.0]).round(3).tolist()[0]
    1.0
    """
    encoded = np.asarray(rgb, dtype=np.float64)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0) + 0.055) / 1.055) ** 2.4)
    lab: Floats = np.cbrt(linear @ _CONES.T) @ _OPPONENTS.T
    return lab


def from_oklab(lab: npt.ArrayLike) -> Floats:
    """Convert OKLab, (..., 3), to sRGB, (..., 3); a colour that no screen can show comes out beyond 0..1."""
    cones = (np.asarray(lab, dtype=np.float64) @ _FROM_OPPONENTS.T) ** 3
    linear = cones @ _FROM_CONES.T
    bright = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, bright)


def from_oklch(lightness: npt.ArrayLike, chroma: npt.ArrayLike, hue: npt.ArrayLike) -> Floats:
    """Convert lightness, chroma and hue (in degrees), which broadcast together to (...), to sRGB, (..., 3)."""
    angle = np.deg2rad(hue)
    lab = np.broadcast_arrays(lightness, chroma * np.cos(angle), chroma * np.sin(angle))
    return from_oklab(np.stack(lab, axis=-1))

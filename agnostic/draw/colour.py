"""Colours for values: (values) -> (..., 4) float32 RGBA in 0..1, straight alpha, transparent where the value is zero.

Each map is a path through OKLab, written in closed form and walked at even speed: equal steps of the value are equal
steps of the colour that is *seen* when the map lights up a picture of middle grey.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from agnostic.draw.light import light_on
from agnostic.draw.oklab import from_oklch, to_oklab
from agnostic.errors import ItemError

Colour = tuple[int, int, int]
Rgba = npt.NDArray[np.float32]

ORANGE, BLUE = (217, 112, 43), (47, 111, 208)  # two compared targets
TEAL, CORAL = (90, 167, 158), (232, 138, 109)  # influence for and against
AMBER = (222, 166, 66)  # influence of whatever sign, where it is no map
MIDDLE = (128, 128, 128)  # the picture on which a map's steps are even, and on which its colour bar is drawn

_STEPS = 256


def heat(values: npt.ArrayLike) -> Rgba:
    """Colour values in 0..1 from transparent through ember to pale yellow; what lies outside is clipped.

    >>> heat([0.0, 0.5, 1.0])[:, 3].round(1).tolist()[0]
    0.0
    """
    return _look_up(_heat_table(), finite(values))


def signed(values: npt.ArrayLike) -> Rgba:
    """Colour values in -1..1: teal where positive, coral where negative, transparent at zero; clipped outside.

    >>> signed([0.0]).tolist()[0][3]
    0.0
    """
    numbers = finite(values)
    positive = _look_up(_arm_table(0.80, 0.135, 183.0), numbers)
    negative = _look_up(_arm_table(0.74, 0.16, 37.0), -numbers)
    return np.where((numbers >= 0)[..., None], positive, negative)


def tint(values: npt.ArrayLike, colour: Colour) -> Rgba:
    """Lay one colour as thick as each value in 0..1; clipped outside.

    >>> tint([0.25], (255, 0, 0)).tolist()
    [[1.0, 0.0, 0.0, 0.25]]
    """
    alpha = np.clip(finite(values), 0, 1).astype(np.float32)
    solid = np.broadcast_to(np.asarray(colour, np.float32) / np.float32(255), (*alpha.shape, 3))
    return np.concatenate([solid, alpha[..., None]], axis=-1)


def finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the values as float64, or refuse: a NaN is reported, never drawn."""
    numbers = np.asarray(values, dtype=np.float64)
    broken = numbers.size - int(np.isfinite(numbers).sum())
    if broken:
        raise ItemError(f"{broken} of {numbers.size} values are NaN or infinite; expected finite numbers to draw")
    return numbers


def _look_up(table: Rgba, values: npt.NDArray[np.float64]) -> Rgba:
    return table[np.rint(np.clip(values, 0, 1) * (_STEPS - 1)).astype(np.intp)]


@cache
def _heat_table() -> Rgba:
    """Ember to pale yellow: lightness grows, the hue turns, the chroma keeps to what a screen can show."""
    t = np.linspace(0, 1, 8 * _STEPS)
    rgb = from_oklch(0.50 + 0.47 * t, 0.164 - 0.063 * t**6, 25 + 80 * t)
    return _evenly(rgb, 0.66 * t**0.8)


@cache
def _arm_table(lightness: float, chroma: float, hue: float) -> Rgba:
    """One arm of the signed map: a hue that thickens as it brightens towards (lightness, chroma)."""
    t = np.linspace(0, 1, 8 * _STEPS)
    rgb = from_oklch(lightness - 0.14 * (1 - t), chroma - 0.03 * (1 - t), np.full_like(t, hue))
    return _evenly(rgb, 0.64 * t**0.8)


def _evenly(rgb: npt.NDArray[np.float64], alpha: npt.NDArray[np.float64]) -> Rgba:
    """Resample a path of colours so that every step is equally far in OKLab when it is seen on middle grey."""
    colours = np.column_stack([rgb, alpha]).astype(np.float32)
    seen = to_oklab(light_on(np.broadcast_to(np.asarray(MIDDLE, np.float32), rgb.shape), colours) / 255)
    walked = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(seen, axis=0), axis=1))])
    stations = np.linspace(0, walked[-1], _STEPS)
    return np.stack([np.interp(stations, walked, channel) for channel in colours.T], axis=-1).astype(np.float32)

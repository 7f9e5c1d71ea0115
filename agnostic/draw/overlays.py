"""A heatmap over its picture: the picture steps back, what the model looked at is lit up."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.draw.colour import finite, heat
from agnostic.draw.colour import signed as signed_heat
from agnostic.draw.labels import Labels, shrunk, smooth_labels
from agnostic.draw.light import Floats, Picture, check_picture, lit
from agnostic.errors import InputError, UsageError

PERCENTILE = 99.5


class Scale(NamedTuple):
    """The two values at the ends of a colour bar, and the fraction of values that lie beyond them."""

    low: float
    high: float
    clipped: float = 0.0

    @property
    def bound(self) -> float:
        """The largest magnitude that still has a colour of its own."""
        return max(abs(self.low), abs(self.high))

    def fraction(self, values: npt.ArrayLike, *, signed: bool = False) -> Floats:
        """Place values on the scale: -1..1 around zero when signed, else 0..1 from zero (or `low`, when above it)."""
        numbers = finite(values)
        start = 0.0 if signed else max(self.low, 0.0)
        span = self.bound - start
        if span <= 0:
            return np.zeros(numbers.shape, np.float32)
        return np.clip((numbers - start) / span, -1.0 if signed else 0.0, 1.0).astype(np.float32)


def shared_scale(maps: Sequence[npt.ArrayLike], *, signed: bool = False) -> Scale:
    """Give maps that are compared one scale: zero to the largest of their 99.5th percentiles of magnitude.

    The largest, not the pooled one: no map loses more than half a per cent of itself, whatever the sizes of the others.
    A map that is zero nearly everywhere keeps its maximum, or its few pixels would not be seen at all.

    >>> shared_scale([[0.0, 2.0], [1.0]])
    Scale(low=0.0, high=2.0, clipped=0.0)
    >>> shared_scale([[-3.0, 2.0]], signed=True).low
    -3.0
    """
    if not maps:
        raise UsageError("no map was given; expected at least one to make a scale of")
    magnitudes = [_magnitudes(values, signed) for values in maps]
    high = max(map(_bound, magnitudes))
    beyond = sum(int((magnitude > high).sum()) for magnitude in magnitudes)
    return Scale(-high if signed else 0.0, high, beyond / sum(magnitude.size for magnitude in magnitudes))


def overlay(
    picture: Picture,
    values: npt.ArrayLike,
    scale: Scale | None = None,
    signed: bool = False,
    *,
    segments: Labels | None = None,
) -> Picture:
    """Light up a picture, (H, W, 3) uint8, by a map of values, (h, w): the dimmed picture under the colours of the map.

    Args:
        picture: What the model saw.
        values: The map, of any size with about the picture's proportions; it is enlarged smoothly.
        scale: The ends of the colours; the map's own when None.
        signed: Teal and coral around zero instead of one bright map.
        segments: The map is constant on these pieces, (h, w): their edges stay crisp.
    """
    check_picture(picture)
    numbers = check_map(values)
    scale = scale or shared_scale([numbers], signed=signed)
    placed = scale.fraction(numbers, signed=signed)
    shape = picture.shape[:2]
    placed = smoothed(placed, shape) if segments is None else _crisp(placed, segments, shape)
    return lit(picture, signed_heat(placed) if signed else heat(placed), hues=not signed)


def smoothed(values: Floats, shape: tuple[int, int]) -> Floats:
    """Resize a map, (h, w), to (H, W) without steps."""
    if values.shape == shape:
        return values
    # Bicubic rings a little around a spike: the result is held to the values that the map has.
    image = Image.fromarray(values).resize(shape[::-1], Image.Resampling.BICUBIC)
    return np.asarray(np.clip(np.asarray(image), values.min(), values.max()))


def check_map(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a map as float64, (h, w); refuse other shapes and broken numbers."""
    numbers = finite(values)
    if numbers.ndim != 2 or not numbers.size:
        raise InputError(f"the map has shape {numbers.shape}; expected (height, width): sum or average the other axes")
    return numbers


def _magnitudes(values: npt.ArrayLike, signed: bool) -> npt.NDArray[np.float64]:
    """What counts towards the scale: an unsigned map draws nothing below zero."""
    numbers = finite(values)
    return np.abs(numbers) if signed else np.maximum(numbers, 0)


def _bound(magnitudes: npt.NDArray[np.float64]) -> float:
    # "higher" takes a value that is there: a map of fewer than 200 values is not clipped at all.
    high = float(np.percentile(magnitudes, PERCENTILE, method="higher"))
    return high or float(magnitudes.max())


def _crisp(values: Floats, segments: Labels, shape: tuple[int, int]) -> Floats:
    """Give every piece its own value and draw the pieces, not the pixels of the map."""
    if segments.shape != values.shape:
        raise InputError(f"the pieces have shape {segments.shape}, the map {values.shape}; expected the same")
    _, numbered = np.unique(segments, return_inverse=True)
    sums = np.bincount(numbered.ravel(), values.ravel())
    means = (sums / np.bincount(numbered.ravel())).astype(np.float32)
    return shrunk(means[smooth_labels(numbered.reshape(segments.shape), shape)], shape)

"""Plots: numbers to places in a rectangle, round ticks, and smooth marks; all lengths in pixels at twice their size."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import BLUE, ORANGE, Colour
from agnostic.draw.oklab import from_oklab, to_oklab
from agnostic.draw.sheet import HAIR, TINY, Theme

# Marks are drawn this much larger and brought down, so that their edges are smooth.
_FINER = 3
NOTHING: Colour = (151, 149, 142)


class Axis(NamedTuple):
    """Numbers from low to high, laid out from one pixel to another."""

    low: float
    high: float
    start: float
    stop: float

    def place(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where numbers lie, in pixels."""
        share = (np.asarray(values, np.float64) - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Choose round numbers along the axis.

        >>> Axis(-0.13, 0.42, 0, 1).ticks()
        [0.0, 0.2, 0.4]
        """
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        rough = span / most
        power = 10.0 ** np.floor(np.log10(rough))
        step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
        first = np.ceil(self.low / step - 1e-9)
        return [round(float(number * step), 12) + 0.0 for number in np.arange(first, self.high / step + 1e-9)]


@contextmanager
def smooth(sheet: Image.Image, box: tuple[int, int, int, int]) -> Iterator["Brush"]:
    """Draw with smooth edges into a rectangle of a sheet (left, top, right, bottom)."""
    part = sheet.crop(box)
    large = part.resize((part.width * _FINER, part.height * _FINER), Image.Resampling.NEAREST)
    yield Brush(large, box[:2])
    sheet.paste(large.resize(part.size, Image.Resampling.BOX), box[:2])


class Brush:
    """Marks in the pixels of the sheet, whatever they are drawn in."""

    def __init__(self, large: Image.Image, origin: tuple[int, int]) -> None:
        """Draw on an enlarged part of a sheet."""
        self._draw = ImageDraw.Draw(large, "RGBA")
        self._origin = np.array(origin, np.float64)

    def dot(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 1.0) -> None:
        """Fill a circle."""
        (x, y), reach = self._fine(x, y), radius * _FINER
        self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(*colour, round(255 * alpha)))

    def line(self, points: Sequence[tuple[float, float]], width: float, colour: Colour, alpha: float = 1.0) -> None:
        """Draw a line from point to point."""
        fine = [self._fine(x, y) for x, y in points]
        self._draw.line(fine, fill=(*colour, round(255 * alpha)), width=max(round(width * _FINER), 1), joint="curve")

    def bar(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle; one without width gets a hairline."""
        (x0, y0), (x1, y1) = self._fine(min(left, right), top), self._fine(max(left, right), bottom)
        self._draw.rectangle((x0, y0, max(x1 - 1, x0 + HAIR), y1 - 1), fill=colour)

    def _fine(self, x: float, y: float) -> tuple[float, float]:
        fine = (np.array([x, y], np.float64) - self._origin) * _FINER
        return float(fine[0]), float(fine[1])


def value_colour(share: float) -> Colour:
    """Colour a value by where it lies between the lowest (0, blue) and the highest (1, orange); grey if nowhere.

    >>> value_colour(0.0), value_colour(1.0), value_colour(float("nan"))
    ((47, 111, 208), (217, 112, 43), (151, 149, 142))
    """
    if not np.isfinite(share):
        return NOTHING
    ends = to_oklab(np.array([BLUE, ORANGE], np.float64) / 255)
    mixed = from_oklab(ends[0] + (ends[1] - ends[0]) * float(np.clip(share, 0, 1)))
    red, green, blue = np.clip(np.rint(mixed * 255), 0, 255).astype(int).tolist()
    return red, green, blue


def write_ticks(draw: ImageDraw.ImageDraw, axis: Axis, y: int, theme: Theme, most: int = 5) -> None:
    """Write round numbers centred below an axis that runs from left to right, whose top is here."""
    for value in axis.ticks(most):
        label = text.number(value)
        x = round(float(axis.place(value)) - text.width(label, text.SMALL) / 2)
        text.write(draw, (x, y + TINY), label, text.SMALL, theme.quiet)


def write_right(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], words: str, room: int, colour: Colour, size: int = text.BODY
) -> None:
    """Write one line that ends here, shortened to the room it has."""
    line = text.ellipsised(words, size, room)
    text.write(draw, (at[0] - text.width(line, size), at[1]), line, size, colour)

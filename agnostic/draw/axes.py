"""What charts share: round numbers along an axis, places on it, signed numbers, and colours mixed with the paper."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import CORAL, TEAL, Colour
from agnostic.draw.sheet import Theme

# The faintest and the strongest share of a colour that lies behind something else.
_THICKEST = 0.85


class Span(NamedTuple):
    """A range of values laid over a range of pixels.

    >>> span = Span(-1.0, 1.0, 0, 100)
    >>> span.place(0.5)
    75
    """

    low: float
    high: float
    start: int
    stop: int

    def place(self, value: float) -> int:
        """The pixel of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.stop - self.start))


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Find up to `most` round numbers within a range: multiples of 1, 2 or 5 times a power of ten.

    >>> ticks(0.3, 9.2), ticks(-0.07, 0.12), ticks(3.0, 3.0)
    ([2.0, 4.0, 6.0, 8.0], [-0.05, 0.0, 0.05, 0.1], [3.0])
    """
    if not high > low:
        return [low]
    power = 10.0 ** np.floor(np.log10((high - low) / most))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        found = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
        if len(found) <= most:
            return [float(f"{value:.10g}") + 0.0 for value in found]
    return [low]


def signed_number(value: float) -> str:
    """Print a number with its sign, in three significant figures.

    >>> signed_number(0.5), signed_number(-1234.0), signed_number(0.0)
    ('+0.5', '-1,234', '0')
    """
    return f"+{text.number(value)}" if value > 0 else text.number(value)


def on_paper(value: float, theme: Theme) -> Colour:
    """Colour a value in -1..1 as it lies on paper: teal where positive, coral where negative, the paper at zero."""
    share = _THICKEST * min(abs(value), 1.0) ** 0.8
    return mixed(theme.paper, TEAL if value >= 0 else CORAL, share)


def mixed(below: Colour, above: Colour, share: float) -> Colour:
    """Lay a colour over another.

    >>> mixed((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    first, second, third = (round(a + (b - a) * share) for a, b in zip(below, above, strict=True))
    return first, second, third


def add_ramp(sheet: Image.Image, at: tuple[int, int], width: int, bound: float, theme: Theme) -> None:
    """Draw one line of small type: the two ends of a signed scale, and its colours on paper between them."""
    draw = ImageDraw.Draw(sheet)
    if bound == 0:
        text.write(draw, at, "zero everywhere", text.SMALL, theme.quiet)
        return
    ends = [f"-{text.number(bound)}", f"+{text.number(bound)}"]
    left, right = (text.width(end, text.SMALL) + 16 for end in ends)
    text.write(draw, at, ends[0], text.SMALL, theme.quiet)
    text.write(draw, (at[0] + width - right + 16, at[1]), ends[1], text.SMALL, theme.quiet)
    middle = at[1] + text.baseline(text.SMALL) - 8
    for x in range(width - left - right):
        colour = on_paper(2 * x / max(width - left - right - 1, 1) - 1, theme)
        draw.line([(at[0] + left + x, middle - 5), (at[0] + left + x, middle + 4)], fill=colour)


def smooth_line(sheet: Image.Image, points: Sequence[tuple[float, float]], colour: Colour, thick: int = 4) -> None:
    """Draw a line through points, in pixels, with smooth edges."""
    xs, ys = zip(*points, strict=True)
    box = int(min(xs)) - thick, int(min(ys)) - thick, int(max(xs)) + thick + 1, int(max(ys)) + thick + 1
    fine = 4
    mask = Image.new("L", ((box[2] - box[0]) * fine, (box[3] - box[1]) * fine))
    moved = [((x - box[0]) * fine, (y - box[1]) * fine) for x, y in points]
    draw = ImageDraw.Draw(mask)
    draw.line(moved, fill=255, width=thick * fine, joint="curve")
    for x, y in (moved[0], moved[-1]):
        reach = thick * fine / 2
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=255)
    small = mask.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BOX)
    sheet.paste(colour, box[:2], small)


def bound_of(weights: Sequence[npt.NDArray[np.floating]]) -> float:
    """The largest magnitude of all, for a scale that they share."""
    return max((float(np.abs(values).max(initial=0.0)) for values in weights), default=0.0)

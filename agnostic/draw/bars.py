"""Colour bars: what the colours of a map mean, in numbers."""

import numpy as np
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import MIDDLE, Colour, heat, signed
from agnostic.draw.light import Picture, lit
from agnostic.draw.overlays import Scale

_THICK, _GAP = 8, 16


def strip(width: int, height: int, *, diverging: bool) -> Picture:
    """Draw the colours of a scale from its low to its high end, as they look on a picture of middle grey."""
    ramp = np.linspace(-1 if diverging else 0, 1, width)
    colours = signed(ramp) if diverging else heat(ramp)
    grey = np.full((1, width, 3), MIDDLE, np.uint8)
    return lit(grey, colours[None]).repeat(height, axis=0)


def ends(scale: Scale, *, diverging: bool) -> tuple[str, str]:
    """Print the two ends of a scale.

    >>> ends(Scale(-0.5, 0.5), diverging=True)
    ('-0.5', '+0.5')
    """
    high = text.number(scale.bound)
    return (f"-{high}", f"+{high}") if diverging else (text.number(max(scale.low, 0.0)), high)


def add_bar(
    sheet: Image.Image, at: tuple[int, int], width: int, scale: Scale, *, diverging: bool, quiet: Colour
) -> None:
    """Draw one line of small type, its top left corner here: low end, colours, high end."""
    draw = ImageDraw.Draw(sheet)
    if scale.bound == 0:
        text.write(draw, at, "zero everywhere" if diverging else "nothing above zero", text.SMALL, quiet)
        return
    low, high = ends(scale, diverging=diverging)
    left, right = (text.width(end, text.SMALL) + _GAP for end in (low, high))
    middle = at[1] + text.baseline(text.SMALL) - 8  # half the height of a figure
    text.write(draw, at, low, text.SMALL, quiet)
    text.write(draw, (at[0] + width - right + _GAP, at[1]), high, text.SMALL, quiet)
    length = max(width - left - right, 1)
    colours = Image.fromarray(strip(length, _THICK, diverging=diverging))
    sheet.paste(colours, (at[0] + left, middle - _THICK // 2))

"""Small multiples of curves: one panel per feature, the score along its values, all on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import TEAL, Colour
from agnostic.draw.plot import Axis, smooth, write_ticks
from agnostic.draw.sheet import CLOSE, DARK, HAIR, LIGHT, MARGIN, TINY, WIDE, Theme, heading_height
from agnostic.errors import UsageError

COLUMNS, WIDTH, HEIGHT = 3, 560, 320
MOST_CURVES = 120
_SCALE = 110
Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Curves:
    """One panel.

    Attributes:
        name: the feature.
        grid: (G) its values.
        mean: (G) the mean score at each.
        curves: (n, G) single ones; None for none.
        own: (n) where the inputs lie, drawn as a rug.
        categories: names of the values where they are no numbers; empty otherwise.
    """

    name: str
    grid: Numbers
    mean: Numbers
    curves: Numbers | None = None
    own: Numbers | None = None
    categories: tuple[str, ...] = ()


def multiples(
    panels: Sequence[Curves], *, heading: str = "", note: str = "", footer: str = "", dark: bool = False
) -> Image.Image:
    """Draw panels of curves, three in a row, all on one scale of scores.

    Args:
        panels: The panels.
        heading: One line above everything.
        note: What the curves show, in quiet type below it.
        footer: Model, settings and seed, in quiet small type.
        dark: Light on dark instead of ink on paper.

    Raises:
        UsageError: there is no panel.
    """
    if not panels:
        raise UsageError("there is no curve to draw")
    page = _Page(len(panels), DARK if dark else LIGHT, heading, note, footer)
    scores = _range(panels)
    for number, panel in enumerate(panels):
        page.add(number, panel, scores)
    return page.sheet


class _Page:
    """The sheet while it is drawn."""

    def __init__(self, count: int, theme: Theme, heading: str, note: str, footer: str) -> None:
        self._theme, self._columns = theme, min(COLUMNS, count)
        width = 2 * MARGIN + _SCALE + self._columns * WIDTH + (self._columns - 1) * (WIDE + CLOSE)
        self._each = text.line_height(text.BODY) + HEIGHT + text.line_height(text.SMALL) + MARGIN
        self._top = MARGIN + heading_height(heading) + (text.line_height(text.BODY) + CLOSE if note else 0)
        bottom = self._top + -(-count // self._columns) * self._each
        lines = text.wrapped(footer, text.SMALL, width - 2 * MARGIN)
        height = bottom + CLOSE + len(lines) * text.line_height(text.SMALL)
        self.sheet = Image.new("RGB", (width, height), theme.paper)
        self._draw = ImageDraw.Draw(self.sheet)
        self._write(heading, MARGIN, text.HEADING, theme.ink)
        self._write(note, MARGIN + heading_height(heading), text.BODY, theme.quiet)
        for number, line in enumerate(lines):
            self._write(line, bottom + number * text.line_height(text.SMALL), text.SMALL, theme.quiet)

    def _write(self, words: str, y: int, size: int, colour: Colour) -> None:
        line = text.ellipsised(words, size, self.sheet.width - 2 * MARGIN)
        text.write(self._draw, (MARGIN, y), line, size, colour)

    def add(self, number: int, panel: Curves, scores: tuple[float, float]) -> None:
        """Draw a panel in its place."""
        row, column = divmod(number, self._columns)
        left, top = MARGIN + _SCALE + column * (WIDTH + WIDE + CLOSE), self._top + row * self._each
        text.write(self._draw, (left, top), text.ellipsised(panel.name, text.BODY, WIDTH), text.BODY, self._theme.ink)
        start = top + text.line_height(text.BODY) + TINY
        box = (left, start, left + WIDTH, start + HEIGHT)
        x, y = _axes(panel, scores, box)
        self._rule(y, left, scaled=column == 0)
        _draw_curves(self.sheet, panel, x, y, box, self._theme)
        if panel.categories:
            _write_categories(self._draw, panel, x, box[3], self._theme)
        else:
            write_ticks(self._draw, x, box[3], self._theme)

    def _rule(self, y: Axis, left: int, *, scaled: bool) -> None:
        """Draw the lines of round scores, and say at the edge of the page what they are."""
        for value in y.ticks(5):
            level = round(float(y.place(value)))
            self._draw.rectangle((left, level, left + WIDTH, level + HAIR - 1), fill=self._theme.line)
            if scaled:
                label = text.number(value)
                at = (left - CLOSE - text.width(label, text.SMALL), level - text.line_height(text.SMALL) // 2)
                text.write(self._draw, at, label, text.SMALL, self._theme.quiet)


def _range(panels: Sequence[Curves]) -> tuple[float, float]:
    """The scale that all share: of the single curves all but the outermost hundredth."""
    held = [panel.mean for panel in panels]
    held += [np.nanpercentile(panel.curves, [0.5, 99.5]) for panel in panels if panel.curves is not None]
    low, high = min(float(np.nanmin(item)) for item in held), max(float(np.nanmax(item)) for item in held)
    room = (high - low) * 0.05 or 1.0
    return low - room, high + room


def _axes(panel: Curves, scores: tuple[float, float], box: tuple[int, int, int, int]) -> tuple[Axis, Axis]:
    grid = panel.grid
    low, high = (-0.5, len(grid) - 0.5) if panel.categories else (float(grid.min()), float(grid.max()))
    x = Axis(low, high if high > low else low + 1, box[0] + TINY, box[2] - TINY)
    return x, Axis(*scores, box[3] - CLOSE, box[1])


def _draw_curves(
    sheet: Image.Image, panel: Curves, x: Axis, y: Axis, box: tuple[int, int, int, int], theme: Theme
) -> None:
    places = x.place(panel.grid)
    with smooth(sheet, box) as brush:
        for curve in _some(panel.curves):
            brush.line(list(zip(places, y.place(curve), strict=True)), 1.5, theme.quiet, 0.35)
        brush.line(list(zip(places, y.place(panel.mean), strict=True)), 5, TEAL)
        for place, value in zip(places, panel.mean, strict=True):
            brush.dot(float(place), float(y.place(value)), 6 if panel.categories else 4, TEAL)
        if panel.own is not None and not panel.categories:
            for place in x.place(panel.own):
                brush.line([(float(place), box[3] - TINY), (float(place), box[3] - 1)], 1.5, theme.ink, 0.4)


def _write_categories(draw: ImageDraw.ImageDraw, panel: Curves, x: Axis, y: int, theme: Theme) -> None:
    room = int((x.stop - x.start) / len(panel.categories)) - TINY
    for place, name in enumerate(panel.categories):
        label = text.ellipsised(name, text.SMALL, room)
        left = round(float(x.place(place)) - text.width(label, text.SMALL) / 2)
        text.write(draw, (left, y + TINY), label, text.SMALL, theme.quiet)


def _some(curves: Numbers | None) -> Numbers:
    """Thin out what would only cover itself."""
    if curves is None:
        return np.empty((0, 0))
    if len(curves) <= MOST_CURVES:
        return curves
    return curves[np.linspace(0, len(curves) - 1, MOST_CURVES).astype(np.intp)]

"""Rankings: one line per feature, with bars, and where there are many numbers behind each, a swarm of dots."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import CORAL, TEAL
from agnostic.draw.light import Picture
from agnostic.draw.plot import Axis, Brush, smooth, value_colour, write_right, write_ticks
from agnostic.draw.sheet import CLOSE, DARK, HAIR, LIGHT, MARGIN, TINY, WIDE, Theme, heading_height
from agnostic.errors import UsageError

NAMES, BARS, SWARM, COUNTS = 360, 380, 720, 150
ROW, THUMB = 52, 80
_DOT, _PAD = 5.0, 10
MOST_DOTS = 1500
Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Swarm:
    """The numbers behind a line.

    Attributes:
        weights: (n) where the dots lie.
        shares: (n) 0..1 how high the value of each is, NaN where it has none.
    """

    weights: Numbers
    shares: Numbers


@dataclass(frozen=True)
class Line:
    """One feature.

    Attributes:
        name: what it is called.
        bars: one number for each column of bars.
        spreads: how far each may be off, drawn as a whisker; empty for none.
        swarm: the numbers behind it; None for none.
        note: a few words at its end.
        pictures: (k, h, w, 3) uint8 examples beside its name; None for none.
    """

    name: str
    bars: tuple[float, ...]
    spreads: tuple[float, ...] = ()
    swarm: Swarm | None = None
    note: str = ""
    pictures: Picture | None = None


def ranking(
    lines: Sequence[Line],
    titles: Sequence[str],
    *,
    swarm_title: str = "",
    value_title: str = "",
    heading: str = "",
    footer: str = "",
    dark: bool = False,
) -> Image.Image:
    """Draw features one below the other.

    Args:
        lines: The features, the one that matters most first.
        titles: What the columns of bars show.
        swarm_title: What the dots show.
        value_title: What the colours of the dots show; "" where they have none.
        heading: One line above everything.
        footer: Model, settings and seed, in quiet small type.
        dark: Light on dark instead of ink on paper.

    Raises:
        UsageError: there is no feature.
    """
    if not lines:
        raise UsageError("there is no feature to draw")
    return _Ranking(lines, titles, DARK if dark else LIGHT).drawn(swarm_title, value_title, heading, footer)


class _Ranking:
    """The sheet while it is drawn."""

    def __init__(self, lines: Sequence[Line], titles: Sequence[str], theme: Theme) -> None:
        self._lines, self._titles, self._theme = lines, titles, theme
        shown = [len(line.pictures) for line in lines if line.pictures is not None]
        self._thumbs = max(shown, default=0) * (THUMB + TINY)
        self._row = THUMB + TINY if shown else ROW
        self._names = min(NAMES, max(text.width(text.drawable(line.name), text.BODY) for line in lines))
        self._swarm = any(line.swarm is not None for line in lines)
        self._bars = MARGIN + self._names + CLOSE + self._thumbs + WIDE
        self._dots = self._bars + len(titles) * (BARS + WIDE)
        notes = COUNTS if any(line.note for line in lines) else 0
        self._width = self._dots + (SWARM + WIDE if self._swarm else 0) + notes + MARGIN - WIDE * (not notes)

    def drawn(self, swarm_title: str, value_title: str, heading: str, footer: str) -> Image.Image:
        theme, head = self._theme, heading_height(heading)
        notes = text.wrapped(footer, text.SMALL, self._width - 2 * MARGIN)
        top = MARGIN + head + text.line_height(text.BODY) + TINY
        bottom = top + len(self._lines) * self._row
        below = bottom + text.line_height(text.SMALL) + 2 * CLOSE + (WIDE + TINY if value_title else 0)
        height = below + MARGIN + len(notes) * text.line_height(text.SMALL)
        sheet = Image.new("RGB", (self._width, height), theme.paper)
        draw = ImageDraw.Draw(sheet)
        if heading:
            line = text.ellipsised(heading, text.HEADING, self._width - 2 * MARGIN)
            text.write(draw, (MARGIN, MARGIN), line, text.HEADING, theme.ink)
        self._write_titles(draw, swarm_title, MARGIN + head)
        self._write_names(sheet, draw, top)
        self._draw_bars(sheet, draw, top)
        if self._swarm:
            self._draw_swarms(sheet, draw, top, bottom)
            if value_title:
                self._write_key(sheet, draw, value_title, bottom + text.line_height(text.SMALL) + CLOSE + TINY)
        for number, note in enumerate(notes):
            y = height - MARGIN // 2 - (len(notes) - number) * text.line_height(text.SMALL)
            text.write(draw, (MARGIN, y), note, text.SMALL, theme.quiet)
        return sheet

    def _write_titles(self, draw: ImageDraw.ImageDraw, swarm_title: str, y: int) -> None:
        for column, title in enumerate(self._titles):
            at = (self._bars + column * (BARS + WIDE), y)
            text.write(draw, at, text.ellipsised(title, text.BODY, BARS), text.BODY, self._theme.quiet)
        if self._swarm:
            line = text.ellipsised(swarm_title, text.BODY, SWARM)
            text.write(draw, (self._dots, y), line, text.BODY, self._theme.quiet)

    def _write_names(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
        lead = (self._row - text.line_height(text.BODY)) // 2
        for number, line in enumerate(self._lines):
            y = top + number * self._row
            write_right(draw, (MARGIN + self._names, y + lead), line.name, self._names, self._theme.ink)
            for place, picture in enumerate([] if line.pictures is None else line.pictures):
                if picture.any():
                    small = Image.fromarray(picture).resize((THUMB, THUMB), Image.Resampling.LANCZOS)
                    sheet.paste(small, (MARGIN + self._names + CLOSE + place * (THUMB + TINY), y))
            if line.note:
                small_lead = (self._row - text.line_height(text.SMALL)) // 2
                at = (self._width - MARGIN, y + small_lead)
                write_right(draw, at, line.note, COUNTS, self._theme.quiet, text.SMALL)

    def _draw_bars(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int) -> None:
        for column in range(len(self._titles)):
            left = self._bars + column * (BARS + WIDE)
            axis = self._bar_axis(column, left)
            box = (left - HAIR, top, left + BARS, top + len(self._lines) * self._row)
            with smooth(sheet, box) as brush:
                for number, line in enumerate(self._lines):
                    self._draw_bar(brush, axis, line, column, top + number * self._row)
            self._write_numbers(draw, axis, column, left, top)

    def _bar_axis(self, column: int, left: int) -> Axis:
        """Lay the column's numbers out so that the longest bar leaves room for its figure."""
        values = [line.bars[column] + (line.spreads[column] if line.spreads else 0) for line in self._lines]
        low, high = min(0.0, *(line.bars[column] for line in self._lines)), max(0.0, *values)
        room = max(text.width(text.number(line.bars[column]), text.SMALL) for line in self._lines) + 2 * TINY
        return Axis(low, high if high > low else low + 1, left, left + BARS - room)

    def _draw_bar(self, brush: Brush, axis: Axis, line: Line, column: int, y: int) -> None:
        value, half = line.bars[column], 11
        middle, zero, end = y + self._row / 2, float(axis.place(0)), float(axis.place(value))
        colour = TEAL if value >= 0 else CORAL
        brush.bar(zero, middle - half, end, middle + half, colour)
        if line.spreads:
            reach = [float(axis.place(value + sign * line.spreads[column])) for sign in (-1, 1)]
            brush.line([(reach[0], middle), (reach[1], middle)], 2, self._theme.ink)

    def _write_numbers(self, draw: ImageDraw.ImageDraw, axis: Axis, column: int, left: int, top: int) -> None:
        lead = (self._row - text.line_height(text.SMALL)) // 2
        for number, line in enumerate(self._lines):
            value = line.bars[column]
            end = max(value, value + (line.spreads[column] if line.spreads else 0), 0)
            at = (round(float(axis.place(end))) + TINY + 4, top + number * self._row + lead)
            text.write(draw, at, text.number(value), text.SMALL, self._theme.quiet)

    def _draw_swarms(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, bottom: int) -> None:
        weights = [line.swarm.weights for line in self._lines if line.swarm is not None]
        low, high = min(0.0, *(float(w.min()) for w in weights)), max(0.0, *(float(w.max()) for w in weights))
        axis = Axis(low, high if high > low else low + 1, self._dots + _PAD, self._dots + SWARM - _PAD)
        zero = round(float(axis.place(0)))
        draw.rectangle((zero, top, zero + HAIR - 1, bottom), fill=self._theme.line)
        with smooth(sheet, (self._dots - _PAD, top, self._dots + SWARM + _PAD, bottom)) as brush:
            for number, line in enumerate(self._lines):
                if line.swarm is not None:
                    _draw_swarm(brush, axis, line.swarm, top + (number + 0.5) * self._row, self._row)
        write_ticks(draw, axis, bottom, self._theme, 6)

    def _write_key(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, title: str, y: int) -> None:
        """Say what the colours of the dots mean, ends and all."""
        low, high, length = "low", "high", 160
        x = self._dots
        for words, colour in ((f"{title}:", self._theme.quiet), (low, self._theme.ink)):
            text.write(draw, (x, y), words, text.SMALL, colour)
            x += text.width(words, text.SMALL) + TINY + 4
        middle = y + text.baseline(text.SMALL) - 8
        for step in range(length):
            draw.rectangle((x + step, middle - 4, x + step, middle + 4), fill=value_colour(step / (length - 1)))
        text.write(draw, (x + length + TINY + 4, y), high, text.SMALL, self._theme.ink)


def _draw_swarm(brush: Brush, axis: Axis, swarm: Swarm, middle: float, room: float) -> None:
    weights, shares = swarm.weights, swarm.shares
    if len(weights) > MOST_DOTS:
        kept = np.linspace(0, len(weights) - 1, MOST_DOTS).astype(np.intp)
        weights, shares = weights[kept], shares[kept]
    places = axis.place(weights)
    offsets = stacked(places, 2 * _DOT, room / 2 - _DOT)
    for x, offset, share in zip(places, offsets, shares, strict=True):
        brush.dot(float(x), middle + float(offset), _DOT, value_colour(float(share)), 0.85)


def stacked(places: Numbers, width: float, most: float) -> npt.NDArray[np.float64]:
    """Move dots that would lie on each other apart, up and down in turn, but no further than `most`.

    >>> stacked(np.array([0.0, 1.0, 50.0]), 10, 20).tolist()
    [0.0, 8.0, 0.0]
    """
    offsets = np.zeros(len(places))
    columns = np.floor(places / width).astype(np.int64)
    for column in np.unique(columns):
        mine = np.flatnonzero(columns == column)
        steps = np.arange(len(mine))
        heights = (steps + 1) // 2 * np.where(steps % 2, 1.0, -1.0) * 0.8 * width + 0.0
        tallest = np.abs(heights).max()
        offsets[mine] = heights * (most / tallest) if tallest > most else heights
    return offsets

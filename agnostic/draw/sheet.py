"""The sheet a figure is drawn on: it is filled from top to bottom and knows how tall it will be.

All lengths are in pixels at twice the size they are read at.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.bars import add_bar
from agnostic.draw.colour import Colour
from agnostic.draw.panels import Drawn

# The white space: twice 1 4 8 16 24.
HAIR, TINY, CLOSE, WIDE, MARGIN = 2, 8, 16, 32, 48


class Theme(NamedTuple):
    """The four colours of a sheet."""

    paper: Colour
    ink: Colour
    quiet: Colour
    line: Colour


LIGHT = Theme((252, 252, 250), (27, 27, 26), (109, 108, 104), (228, 226, 220))
DARK = Theme((20, 20, 19), (236, 235, 230), (151, 149, 142), (44, 43, 40))


class Lines(NamedTuple):
    """The heights of the lines of a row: titles, pictures, captions, colour bars; 0 for a line that is not there."""

    titles: int
    pictures: int
    captions: int
    bars: int

    @classmethod
    def of(cls, row: Sequence[Drawn]) -> "Lines":
        """Plan a row: every line is as tall as its tallest member, white space included."""
        return cls(
            text.line_height(text.BODY) + TINY if any(drawn.panel.title for drawn in row) else 0,
            max(drawn.image.shape[0] for drawn in row),
            TINY + text.line_height(text.BODY) if any(drawn.panel.caption for drawn in row) else 0,
            TINY + text.line_height(text.SMALL) if any(drawn.scale for drawn in row) else 0,
        )


class Sheet:
    """A page of panels in columns; what is added goes below what is there."""

    def __init__(self, width: int, height: int, column: int, theme: Theme) -> None:
        """Start an empty page with columns of this width."""
        self.image = Image.new("RGB", (width, height), theme.paper)
        self._draw = ImageDraw.Draw(self.image)
        self._column, self._theme = column, theme
        self._y = MARGIN

    def add_heading(self, heading: str) -> None:
        """Write the one line above everything."""
        if heading:
            line = text.ellipsised(heading, text.HEADING, self.image.width - 2 * MARGIN)
            text.write(self._draw, (MARGIN, self._y), line, text.HEADING, self._theme.ink)
            self._y += heading_height(heading)

    def add_row(self, row: Sequence[Drawn]) -> None:
        """Place panels side by side: titles, pictures, captions and bars each on a line of their own."""
        lines = Lines.of(row)
        top = self._y + lines.titles
        below = top + lines.pictures + TINY
        for x, drawn in zip(self._lefts(), row, strict=False):
            self._add_title((x, self._y), drawn)
            self.image.paste(Image.fromarray(drawn.image), (x, top))
            caption = text.ellipsised(drawn.panel.caption, text.BODY, self._column)
            text.write(self._draw, (x, below), caption, text.BODY, self._theme.quiet)
        self._add_bars(row, below + lines.captions)
        self._y += sum(lines) + MARGIN

    def add_footer(self, notes: Sequence[str]) -> None:
        """Write quiet small lines under a hairline that ends the figure."""
        if notes:
            right = self.image.width - MARGIN - 1
            self._draw.rectangle((MARGIN, self._y - CLOSE, right, self._y - CLOSE + HAIR - 1), fill=self._theme.line)
        for note in notes:
            text.write(self._draw, (MARGIN, self._y), note, text.SMALL, self._theme.quiet)
            self._y += text.line_height(text.SMALL)

    def _lefts(self) -> range:
        return range(MARGIN, self.image.width, self._column + WIDE)

    def _add_title(self, at: tuple[int, int], drawn: Drawn) -> None:
        """Write the title, after a short upright rule in the colour of the target that the panel is about."""
        x, y = at
        indent = 0
        if drawn.panel.accent is not None:
            base = y + text.baseline(text.BODY)
            self._draw.rectangle((x, base - 20, x + 5, base), fill=drawn.panel.accent)
            indent = CLOSE
        title = text.ellipsised(drawn.panel.title, text.BODY, self._column - indent)
        text.write(self._draw, (x + indent, y), title, text.BODY, self._theme.ink)

    def _add_bars(self, row: Sequence[Drawn], y: int) -> None:
        for first, last in _runs(row):
            scale = row[first].scale
            if scale is not None:
                width = (last - first) * (self._column + WIDE) + self._column
                at = self._lefts()[first], y
                add_bar(self.image, at, width, scale, diverging=row[first].diverging, quiet=self._theme.quiet)


def sheet_height(rows: Sequence[Sequence[Drawn]], heading: str, notes: Sequence[str]) -> int:
    """Add up how tall a page must be."""
    bodies = sum(sum(Lines.of(row)) for row in rows) + MARGIN * (len(rows) - 1)
    footer = MARGIN + len(notes) * text.line_height(text.SMALL) if notes else 0
    return 2 * MARGIN + heading_height(heading) + bodies + footer


def heading_height(heading: str) -> int:
    """Give the room that a heading takes, white space included."""
    return text.line_height(text.HEADING) + WIDE if heading else 0


def _runs(row: Sequence[Drawn]) -> Iterator[tuple[int, int]]:
    """Group neighbours that share a colour bar: the first and last column of each group."""
    first = 0
    for last in range(len(row)):
        if last + 1 == len(row) or not row[last].shares_bar(row[last + 1]):
            yield first, last
            first = last + 1

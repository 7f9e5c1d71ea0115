"""Passages of text whose words are marked: for and against in two colours, each with its number below it.

All lengths are in pixels at twice the size they are read at.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import AMBER, CORAL, TEAL, Colour
from agnostic.draw.sheet import CLOSE, DARK, HAIR, LIGHT, MARGIN, TINY, WIDE, Theme, heading_height

MEASURE = 1160
_SIZE = 34
_PITCH = text.line_height(_SIZE) + text.line_height(text.SMALL) + TINY
_SPACE = text.width("n n", _SIZE) - text.width("nn", _SIZE)
_PADDING = 5
_MOST_LINES = 60
# More letters than stand on a line.
_LONGEST = 200
_BAR, _BAR_HEIGHT = 200, 16
# Below this share of the largest, a value is not printed: one with a sign, and one of those that are never small.
_PRINTED, _PRINTED_SIZE = 0.15, 0.3
# And below this one not coloured.
_COLOURED = 0.04


@dataclass(frozen=True)
class Mark:
    """A piece of a text and its value.

    Attributes:
        text: as it stands there, with the spaces inside.
        value: None for what has none, such as the space between words.
        number: of the feature that it is; pieces of one feature that follow each other are marked as one.
    """

    text: str
    value: float | None = None
    number: int = -1


@dataclass(frozen=True)
class Passage:
    """A text that is marked by one method for one target.

    Attributes:
        title: the method.
        caption: target, probability, the number that matters.
        marks: all of the text, piece by piece.
        bound: the value that has the full colour.
        signed: whether values speak for and against.
        accent: the colour of the compared target that this passage is about.
    """

    title: str
    caption: str
    marks: Sequence[Mark]
    bound: float
    signed: bool = True
    accent: Colour | None = None

    def share(self, value: float | None) -> float:
        """Place a value on the scale, -1..1; 0 for none."""
        return 0.0 if value is None or self.bound <= 0 else float(np.clip(value / self.bound, -1, 1))

    def label(self, value: float | None) -> str:
        """Print a value where it is large enough to matter.

        >>> Passage("lime", "", [], 2.0).label(-1.234), Passage("lime", "", [], 2.0).label(0.001)
        ('-1.2', '')
        """
        if value is None or abs(self.share(value)) < (_PRINTED if self.signed else _PRINTED_SIZE):
            return ""
        return self.number(value)

    def number(self, value: float) -> str:
        """Print a value in two figures, with its sign where signs mean something.

        >>> Passage("lime", "", [], 2.0).number(0.0666), Passage("saliency", "", [], 2.0, signed=False).number(12.3)
        ('+0.067', '12')
        """
        rounded = text.number(float(f"{value:.2g}"))
        return f"+{rounded}" if self.signed and value > 0 else rounded


class _Atom(NamedTuple):
    """What is never broken over two lines: its text, its mark, the label below, and the space before it."""

    text: str
    mark: Mark
    label: str
    spaced: bool
    width: int


class _Placed(NamedTuple):
    atom: _Atom
    x: int


def passages(items: Sequence[Passage], *, heading: str = "", footer: str = "", dark: bool = False) -> Image.Image:
    """Draw passages below each other on one sheet.

    Args:
        items: the passages.
        heading: one line above everything.
        footer: model, settings and seed, in quiet small type.
        dark: light on dark.
    """
    theme = DARK if dark else LIGHT
    laid = [_lines(item) for item in items]
    notes = text.wrapped(_notes(footer, items, laid), text.SMALL, MEASURE)
    title = text.line_height(text.BODY) + CLOSE
    body = sum(title + _PITCH * min(len(lines), _MOST_LINES) + WIDE for lines in laid)
    height = 2 * MARGIN + heading_height(heading) + body + len(notes) * text.line_height(text.SMALL)
    page = _Page(Image.new("RGB", (MEASURE + 2 * MARGIN, height), theme.paper), theme, dark)
    y = page.heading(heading, MARGIN)
    for item, lines in zip(items, laid, strict=True):
        page.title(item, y)
        for row, line in enumerate(lines[:_MOST_LINES]):
            page.line(item, line, y + title + row * _PITCH)
        y += title + _PITCH * min(len(lines), _MOST_LINES) + WIDE
    page.footer(notes, y)
    return page.image


def tint(share: float, theme: Theme, *, signed: bool = True, dark: bool = False) -> Colour:
    """Colour a share of -1..1: paper at zero, thicker with its size, never so thick that ink is hard to read."""
    most = 0.55 if dark else 0.9
    hue = np.array((TEAL if share > 0 else CORAL) if signed else AMBER, np.float64)
    mixed = np.array(theme.paper) + (hue - theme.paper) * most * abs(share) ** 0.8
    red, green, blue = (round(float(part)) for part in mixed)
    return red, green, blue


class _Page:
    """The sheet while it is filled."""

    def __init__(self, image: Image.Image, theme: Theme, dark: bool) -> None:
        self.image, self._theme, self._dark = image, theme, dark
        self._draw = ImageDraw.Draw(image)

    def heading(self, heading: str, y: int) -> int:
        if heading:
            text.write(
                self._draw, (MARGIN, y), text.ellipsised(heading, text.HEADING, MEASURE), text.HEADING, self._theme.ink
            )
        return y + heading_height(heading)

    def title(self, item: Passage, y: int) -> None:
        """Write the method and the target, and at the right what the colours mean."""
        x = MARGIN
        if item.accent is not None:
            base = y + text.baseline(text.BODY)
            self._draw.rectangle((x, base - 20, x + 5, base), fill=item.accent)
            x += CLOSE
        title = text.ellipsised(item.title, text.BODY, MEASURE // 3)
        text.write(self._draw, (x, y), title, text.BODY, self._theme.ink)
        x += text.width(title, text.BODY) + CLOSE
        room = MARGIN + MEASURE - self._bar(item, y) - WIDE - x
        text.write(self._draw, (x, y), text.ellipsised(item.caption, text.BODY, room), text.BODY, self._theme.quiet)

    def _bar(self, item: Passage, y: int) -> int:
        """Draw the scale at the right end of a line, and return the room that it takes."""
        if item.bound <= 0:
            return 0
        low, high = (item.number(-item.bound) if item.signed else "0"), item.number(item.bound)
        ends = [text.width(end, text.SMALL) for end in (low, high)]
        right = MARGIN + MEASURE
        left = right - ends[1] - CLOSE - _BAR
        at = y + text.baseline(text.BODY) - text.baseline(text.SMALL)
        text.write(self._draw, (right - ends[1], at), high, text.SMALL, self._theme.quiet)
        text.write(self._draw, (left - CLOSE - ends[0], at), low, text.SMALL, self._theme.quiet)
        middle = at + text.baseline(text.SMALL) - 8
        for column in range(_BAR):
            place = column / (_BAR - 1)
            colour = tint(2 * place - 1 if item.signed else place, self._theme, signed=item.signed, dark=self._dark)
            x = left + column
            self._draw.line((x, middle - _BAR_HEIGHT // 2, x, middle + _BAR_HEIGHT // 2), fill=colour)
        return ends[0] + ends[1] + 2 * CLOSE + _BAR

    def line(self, item: Passage, line: Sequence[_Placed], y: int) -> None:
        """Write one line: colours first, so that none covers a letter."""
        for before, here in zip([None, *line], line, strict=False):
            self._colour(item, before, here, y)
        for placed in line:
            atom = placed.atom
            inset = (atom.width - text.width(atom.text, _SIZE)) // 2
            text.write(self._draw, (MARGIN + placed.x + inset, y), atom.text, _SIZE, self._theme.ink)
            inset = (atom.width - text.width(atom.label, text.SMALL)) // 2
            below = y + text.line_height(_SIZE)
            text.write(self._draw, (MARGIN + placed.x + inset, below), atom.label, text.SMALL, self._theme.quiet)

    def _colour(self, item: Passage, before: _Placed | None, here: _Placed, y: int) -> None:
        share = item.share(here.atom.mark.value)
        if abs(share) < _COLOURED:
            return
        joined = before is not None and before.atom.mark.number == here.atom.mark.number
        start = here.x if before is None or not joined else before.x + before.atom.width
        box = (MARGIN + start, y + 2, MARGIN + here.x + here.atom.width - 1, y + text.line_height(_SIZE) - 1)
        colour = tint(share, self._theme, signed=item.signed, dark=self._dark)
        self._draw.rectangle(box, fill=colour)

    def footer(self, notes: Sequence[str], y: int) -> None:
        if notes:
            self._draw.rectangle((MARGIN, y - CLOSE, MARGIN + MEASURE - 1, y - CLOSE + HAIR - 1), fill=self._theme.line)
        for row, note in enumerate(notes):
            at = MARGIN, y + row * text.line_height(text.SMALL)
            text.write(self._draw, at, note, text.SMALL, self._theme.quiet)


def _lines(item: Passage) -> list[list[_Placed]]:
    """Break a passage into lines no wider than the measure, and a few more than are drawn at most."""
    lines: list[list[_Placed]] = [[]]
    x = 0
    for group in _groups(item):
        room = sum(atom.width for atom in group)
        for place, atom in enumerate(group):
            gap = _SPACE if atom.spaced and lines[-1] else 0
            breaks = x + gap + (room if place == 0 and room <= MEASURE else atom.width) > MEASURE
            if (breaks and lines[-1]) or atom.text == "\n":
                lines.append([])
                x, gap = 0, 0
            if atom.text != "\n":
                lines[-1].append(_Placed(atom, x + gap))
                x += gap + atom.width
        if len(lines) > _MOST_LINES:
            break
    return lines


def _groups(item: Passage) -> Iterator[list[_Atom]]:
    """Gather the atoms that no space parts."""
    group: list[_Atom] = []
    for atom in _atoms(item):
        if group and (atom.spaced or atom.text == "\n"):
            yield group
            group = []
        group.append(atom)
    if group:
        yield group


def _atoms(item: Passage) -> Iterator[_Atom]:
    spaced = False
    for mark in item.marks:
        for row, part in enumerate(mark.text.split("\n")):
            if row:
                yield _Atom("\n", Mark(""), "", spaced=False, width=0)
                spaced = False
            words = part.split()
            for place, word in enumerate(words):
                label = item.label(mark.value) if place == len(words) - 1 else ""
                ends = (place == 0) + (place == len(words) - 1) if mark.value is not None else 0
                yield from _fitted(word, mark, label, ends * _PADDING, spaced or place > 0 or part[:1].isspace())
            spaced = part[-1:].isspace() or (spaced and not words)


def _fitted(word: str, mark: Mark, label: str, padding: int, spaced: bool) -> Iterator[_Atom]:
    """Make atoms of a word: one, unless it is wider than a line."""
    # What fits on no sheet is not looked at.
    drawn = text.drawable(word[: _LONGEST * (_MOST_LINES + 1)])
    room = MEASURE - padding
    while text.width(drawn[:_LONGEST], _SIZE) > room:
        fits = max(1, bisect_right(range(_LONGEST), room, key=partial(_width_of_first, drawn)) - 1)
        yield _Atom(drawn[:fits], mark, "", spaced, text.width(drawn[:fits], _SIZE) + padding)
        drawn, spaced = drawn[fits:], False
    width = max(text.width(drawn, _SIZE) + padding, text.width(label, text.SMALL) + TINY if label else 0)
    yield _Atom(drawn, mark, label, spaced, width)


def _width_of_first(word: str, letters: int) -> int:
    return text.width(word[:letters], _SIZE)


def _notes(footer: str, items: Sequence[Passage], laid: Sequence[Sequence[object]]) -> str:
    """Say in the footer what the picture does not show."""
    notes = [footer] if footer else []
    if any(len(lines) > _MOST_LINES for lines in laid):
        notes.append(f"the first {_MOST_LINES} lines are shown")
    written = "".join(mark.text[:200] for mark in items[0].marks[:2000]) if items else ""
    if text.drawable(written).count("?") > written.count("?"):
        notes.append("? stands for letters that this font lacks; the page shows them")
    return " · ".join(notes)

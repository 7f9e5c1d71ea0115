"""Bars beside names: what each piece counts for, several columns side by side.

Where the weights add up, bars stand end to end, from the value they start from to the one they reach; elsewhere each
stands on zero. All lengths are in pixels at twice the size they are read at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.axes import Span, bound_of, signed_number
from agnostic.draw.colour import CORAL, TEAL, Colour, finite
from agnostic.draw.sheet import CLOSE, DARK, HAIR, LIGHT, MARGIN, TINY, WIDE, Theme, heading_height
from agnostic.errors import UsageError

_PITCH, _THICK = 46, 28
_WIDEST_NAME, _WIDEST_VALUE = 440, 320


@dataclass(frozen=True)
class Bars:
    """One column of bars.

    Attributes:
        title: one or two words above it.
        caption: one line below that: target, probability, the number that matters.
        weights: (rows,) what each piece counts for; one fewer where nothing stands beside the last name.
        start: the value that the weights lead from, where they add up; None where each stands on zero.
        accent: the colour of the compared target that the column is about.
    """

    title: str
    caption: str
    weights: npt.NDArray[np.floating]
    start: float | None = None
    accent: Colour | None = None

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Where each bar begins and ends: (rows, 2)."""
        weights = np.asarray(self.weights, np.float64)
        if self.start is None:
            return np.stack([np.zeros_like(weights), weights], axis=1)
        stops = self.start + np.cumsum(weights)
        return np.stack([stops - weights, stops], axis=1)


class _Plan(NamedTuple):
    """Where things stand: the right ends of names and values, the left ends of the columns and their width, heights."""

    names: int
    values: int
    columns: list[int]
    width: int
    top: int
    bottom: int


def bar_chart(
    names: Sequence[str],
    values: Sequence[str],
    columns: Sequence[Bars],
    *,
    heading: str = "",
    footer: str = "",
    dark: bool = False,
    column_width: int = 560,
) -> Image.Image:
    """Draw bars beside the names and values of what they stand for.

    Args:
        names: of the pieces, from top to bottom.
        values: what each piece holds, as text; empty where there is nothing to say.
        columns: the bars; columns of equal titles share a scale where they stand on zero.
        heading: one line above everything.
        footer: model, settings and seed, in quiet small type.
        dark: light on dark.
        column_width: of each column of bars.

    Raises:
        UsageError: there is nothing to draw, or the counts do not agree.
        ItemError: a weight is not finite.
    """
    if not columns or not names or any(len(names) - len(column.weights) not in (0, 1) for column in columns):
        raise UsageError(
            f"{len(columns)} columns of bars for {len(names)} names; expected at least one, of one bar each"
        )
    for column in columns:
        finite(column.weights)
    plan = _plan(names, values, columns, heading, column_width)
    width = plan.columns[-1] + plan.width + MARGIN
    notes = text.wrapped(footer, text.SMALL, width - 2 * MARGIN)
    height = plan.bottom + (WIDE + len(notes) * text.line_height(text.SMALL) if notes else 0) + MARGIN
    theme = DARK if dark else LIGHT
    sheet = Image.new("RGB", (width, height), theme.paper)
    draw = ImageDraw.Draw(sheet)
    if heading:
        text.write(
            draw, (MARGIN, MARGIN), text.ellipsised(heading, text.HEADING, width - 2 * MARGIN), text.HEADING, theme.ink
        )
    _write_names(draw, plan, names, values, theme)
    for left, column in zip(plan.columns, columns, strict=True):
        _draw_column(draw, plan, left, column, columns, theme)
    _write_footer(draw, notes, (width, plan.bottom + WIDE), theme)
    return sheet


def _plan(names: Sequence[str], values: Sequence[str], columns: Sequence[Bars], heading: str, width: int) -> _Plan:
    widest = min(max(text.width(text.drawable(name), text.BODY) for name in names), _WIDEST_NAME)
    beside = min(max((text.width(text.drawable(value), text.BODY) for value in values), default=0), _WIDEST_VALUE)
    right = MARGIN + widest + (WIDE + beside if beside else 0)
    lefts = [right + WIDE + at * (width + WIDE) for at in range(len(columns))]
    # Title, caption, and the value that bars start from.
    top = MARGIN + heading_height(heading) + 2 * text.line_height(text.BODY) + text.line_height(text.SMALL) + CLOSE
    bottom = top + len(names) * _PITCH + TINY + text.line_height(text.SMALL)
    return _Plan(MARGIN + widest, right, lefts, width, top, bottom)


def _write_names(
    draw: ImageDraw.ImageDraw, plan: _Plan, names: Sequence[str], values: Sequence[str], theme: Theme
) -> None:
    for row, name in enumerate(names):
        y = plan.top + row * _PITCH + (_PITCH - text.line_height(text.BODY)) // 2
        for right, room, word, colour in (
            (plan.names, _WIDEST_NAME, name, theme.ink),
            (plan.values, _WIDEST_VALUE, values[row] if row < len(values) else "", theme.quiet),
        ):
            shown = text.ellipsised(word, text.BODY, room)
            text.write(draw, (right - text.width(shown, text.BODY), y), shown, text.BODY, colour)


def _draw_column(
    draw: ImageDraw.ImageDraw, plan: _Plan, left: int, column: Bars, together: Sequence[Bars], theme: Theme
) -> None:
    """Draw one column: its words, the lines that bars begin and end at, and the bars with their numbers."""
    _write_words(draw, plan, left, column, theme)
    span = _span(column, together, left, plan.width)
    foot = plan.bottom - TINY - text.line_height(text.SMALL)
    edges = column.edges
    marks = [0.0] if column.start is None else [column.start, float(edges[-1, 1])]
    for mark in marks:
        x = span.place(mark)
        draw.rectangle((x, plan.top - TINY, x + HAIR - 1, foot + TINY), fill=theme.line)
    for row, (begin, end) in enumerate(edges):
        _draw_bar(draw, span, plan.top + row * _PITCH, (float(begin), float(end)), theme)
        if column.start is not None and row + 1 < len(edges):
            x, y = span.place(float(end)), plan.top + row * _PITCH + (_PITCH + _THICK) // 2
            draw.rectangle((x, y, x + HAIR - 1, y + _PITCH - _THICK), fill=theme.line)
    said = ["0"] if column.start is None else [f"base {text.number(marks[0])}", f"score {text.number(marks[-1])}"]
    for mark, word, y in zip(marks, said, (plan.top - TINY - text.line_height(text.SMALL), foot + TINY), strict=False):
        _write_centred(draw, (span.place(mark), y), word, (left, left + plan.width), theme.quiet)


def _write_words(draw: ImageDraw.ImageDraw, plan: _Plan, left: int, column: Bars, theme: Theme) -> None:
    y = plan.top - TINY - text.line_height(text.SMALL) - 2 * text.line_height(text.BODY) - TINY
    indent = 0
    if column.accent is not None:
        base = y + text.baseline(text.BODY)
        draw.rectangle((left, base - 20, left + 5, base), fill=column.accent)
        indent = CLOSE
    text.write(
        draw, (left + indent, y), text.ellipsised(column.title, text.BODY, plan.width - indent), text.BODY, theme.ink
    )
    caption = text.ellipsised(column.caption, text.BODY, plan.width)
    text.write(draw, (left, y + text.line_height(text.BODY)), caption, text.BODY, theme.quiet)


def _span(column: Bars, together: Sequence[Bars], left: int, width: int) -> Span:
    """Lay the values that have to fit over the column, with room for the numbers on both sides."""
    room = max(text.width(signed_number(float(weight)), text.SMALL) for weight in column.weights) + CLOSE
    if column.start is not None:
        reached = np.append(column.edges.ravel(), column.start)
        low, high = float(reached.min()), float(reached.max())
    else:
        bound = bound_of([other.weights for other in together if other.title == column.title and other.start is None])
        signed = min(float(other.weights.min()) for other in together if other.title == column.title) < 0
        low, high = (-bound if signed else 0.0), bound
    start = left if low == 0 and column.start is None else left + room
    return Span(low, high, start, left + width - room)


def _draw_bar(draw: ImageDraw.ImageDraw, span: Span, y: int, edges: tuple[float, float], theme: Theme) -> None:
    begin, end = span.place(edges[0]), span.place(edges[1])
    weight = edges[1] - edges[0]
    top = y + (_PITCH - _THICK) // 2
    low, high = min(begin, end), max(begin, end)
    colour = TEAL if weight >= 0 else CORAL
    if weight:
        draw.rectangle((low, top, max(high - 1, low + 1), top + _THICK - 1), fill=colour)
    number = signed_number(weight if abs(weight) > 1e-12 else 0.0)
    wide, tall = text.width(number, text.SMALL), text.line_height(text.SMALL)
    x, y = high + TINY if weight >= 0 else low - TINY - wide, y + (_PITCH - tall) // 2
    draw.rectangle((x, y, x + wide, y + tall), fill=theme.paper)  # no line runs through a number
    text.write(draw, (x, y), number, text.SMALL, theme.ink)


def _write_centred(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], word: str, within: tuple[int, int], colour: Colour
) -> None:
    wide = text.width(word, text.SMALL)
    x = min(max(at[0] - wide // 2, within[0]), within[1] - wide)
    text.write(draw, (x, at[1]), word, text.SMALL, colour)


def _write_footer(draw: ImageDraw.ImageDraw, notes: Sequence[str], at: tuple[int, int], theme: Theme) -> None:
    width, y = at
    if notes:
        draw.rectangle((MARGIN, y - CLOSE, width - MARGIN - 1, y - CLOSE + HAIR - 1), fill=theme.line)
    for note in notes:
        text.write(draw, (MARGIN, y), note, text.SMALL, theme.quiet)
        y += text.line_height(text.SMALL)

"""Curves over time with shaded pieces: what each stretch counts for, channels below each other, columns side by side.

All lengths are in pixels at twice the size they are read at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.axes import Span, add_ramp, on_paper, signed_number, smooth_line, ticks
from agnostic.draw.colour import Colour, finite
from agnostic.draw.sheet import CLOSE, DARK, HAIR, LIGHT, MARGIN, TINY, WIDE, Theme, heading_height
from agnostic.errors import UsageError

_TALL, _LOW = 320, 176
# More pieces than this have no lines between them, and no numbers.
_FEW = 40


@dataclass(frozen=True)
class Curve:
    """One channel: its name with its unit, and its values (steps,)."""

    label: str
    values: npt.NDArray[np.floating]


@dataclass(frozen=True)
class Shading:
    """One column: what each step of each channel counts for.

    Attributes:
        title: one or two words above it.
        caption: one line below that.
        values: (channels, steps), or (1, steps) where it holds for all channels.
        bound: the value of the strongest colour.
        numbers: what each piece counts for, (channels or 1, pieces), to be written into it; None where pieces have no
            number of their own.
        accent: the colour of the compared target that the column is about.
    """

    title: str
    caption: str
    values: npt.NDArray[np.floating]
    bound: float
    numbers: npt.NDArray[np.floating] | None = None
    accent: Colour | None = None


class _Plan(NamedTuple):
    """Where things stand: left ends of columns, tops of rows, the size of a cell, room for numbers, the time."""

    lefts: list[int]
    tops: list[int]
    width: int
    height: int
    room: int
    starts: npt.NDArray[np.int64]
    steps: int

    def x(self, column: int, step: float) -> float:
        """The pixel of a step; each takes a slot of equal width, and its point stands in the middle."""
        return self.lefts[column] + (step + 0.5) / self.steps * self.width


def curve_chart(
    curves: Sequence[Curve],
    columns: Sequence[Shading],
    starts: npt.NDArray[np.int64],
    *,
    time: str = "step",
    heading: str = "",
    footer: str = "",
    dark: bool = False,
    column_width: int = 760,
) -> Image.Image:
    """Draw curves, each column shaded by one explanation.

    Args:
        curves: the channels, from top to bottom.
        columns: the explanations, from left to right.
        starts: where each piece along time begins.
        time: what a step is called.
        heading: one line above everything.
        footer: model, settings and seed, in quiet small type.
        dark: light on dark.
        column_width: of each column.

    Raises:
        UsageError: there is nothing to draw, or shapes do not agree.
        ItemError: a value is not finite.
    """
    _check(curves, columns)
    theme = DARK if dark else LIGHT
    plan, bottom = _plan(curves, columns, starts, heading, column_width)
    width = plan.lefts[-1] + column_width + MARGIN
    notes = text.wrapped(footer, text.SMALL, width - 2 * MARGIN)
    height = bottom + (WIDE + len(notes) * text.line_height(text.SMALL) if notes else 0) + MARGIN
    sheet = Image.new("RGB", (width, height), theme.paper)
    draw = ImageDraw.Draw(sheet)
    if heading:
        line = text.ellipsised(heading, text.HEADING, width - 2 * MARGIN)
        text.write(draw, (MARGIN, MARGIN), line, text.HEADING, theme.ink)
    for at, column in enumerate(columns):
        _write_words(draw, plan, at, column, theme)
        for row, curve in enumerate(curves):
            _draw_cell(sheet, plan, (at, row), curve, column, theme)
        _write_time(draw, plan, at, time, theme)
        ramp_y = plan.tops[-1] + plan.height + 2 * text.line_height(text.SMALL) + CLOSE
        add_ramp(sheet, (plan.lefts[at], ramp_y), plan.width, column.bound, theme)
    _write_footer(draw, notes, (width, bottom + WIDE), theme)
    return sheet


def _check(curves: Sequence[Curve], columns: Sequence[Shading]) -> None:
    if not curves or not columns or not len(curves[0].values):
        raise UsageError(f"{len(curves)} curves and {len(columns)} columns; expected at least one of each, with values")
    steps = len(curves[0].values)
    for curve in curves:
        finite(curve.values)
        if len(curve.values) != steps:
            raise UsageError(f"curves of {steps} and of {len(curve.values)} steps; expected equally many")
    for column in columns:
        finite(column.values)
        if column.values.shape not in ((len(curves), steps), (1, steps)):
            raise UsageError(
                f"a shading of shape {list(column.values.shape)} for {len(curves)} curves of {steps} steps"
            )


def _plan(
    curves: Sequence[Curve], columns: Sequence[Shading], starts: npt.NDArray[np.int64], heading: str, width: int
) -> tuple[_Plan, int]:
    numbers = [text.width(text.number(tick), text.SMALL) for curve in curves for tick in _ticks(curve)]
    left = MARGIN + max(numbers) + CLOSE
    height = _TALL if len(curves) == 1 else _LOW
    top = MARGIN + heading_height(heading) + 2 * text.line_height(text.BODY) + CLOSE
    label = text.line_height(text.SMALL) + TINY
    tops = [top + label + row * (height + label + CLOSE) for row in range(len(curves))]
    lefts = [left + at * (width + WIDE) for at in range(len(columns))]
    bottom = tops[-1] + height + 3 * text.line_height(text.SMALL) + CLOSE
    told = any(column.numbers is not None for column in columns)
    room = text.line_height(text.SMALL) if told else TINY
    return _Plan(lefts, tops, width, height, room, starts, len(curves[0].values)), bottom


def _ticks(curve: Curve) -> list[float]:
    return ticks(float(curve.values.min()), float(curve.values.max()), 3)


def _write_words(draw: ImageDraw.ImageDraw, plan: _Plan, at: int, column: Shading, theme: Theme) -> None:
    left, line = plan.lefts[at], text.line_height(text.BODY)
    y = plan.tops[0] - text.line_height(text.SMALL) - TINY - CLOSE - 2 * line
    indent = 0
    if column.accent is not None:
        base = y + text.baseline(text.BODY)
        draw.rectangle((left, base - 20, left + 5, base), fill=column.accent)
        indent = CLOSE
    title = text.ellipsised(column.title, text.BODY, plan.width - indent)
    text.write(draw, (left + indent, y), title, text.BODY, theme.ink)
    text.write(draw, (left, y + line), text.ellipsised(column.caption, text.BODY, plan.width), text.BODY, theme.quiet)


def _draw_cell(
    sheet: Image.Image, plan: _Plan, cell: tuple[int, int], curve: Curve, column: Shading, theme: Theme
) -> None:
    """Draw one channel under one explanation: shading, lines between pieces, the curve, and its axis on the left."""
    at, row = cell
    left, top, bottom = plan.lefts[at], plan.tops[row], plan.tops[row] + plan.height
    draw = ImageDraw.Draw(sheet)
    shades = column.values[row if len(column.values) > 1 else 0]
    for step, value in enumerate(shades):
        x0, x1 = (round(plan.x(at, step + side)) for side in (-0.5, 0.5))
        draw.rectangle(
            (x0, top, x1 - 1, bottom - 1), fill=on_paper(value / column.bound if column.bound else 0.0, theme)
        )
    if column.numbers is not None and len(plan.starts) <= _FEW:
        for start in plan.starts[1:]:
            x = round(plan.x(at, start - 0.5))
            draw.rectangle((x - 1, top, x, bottom - 1), fill=theme.paper)
    draw.rectangle((left, bottom, left + plan.width - 1, bottom + HAIR - 1), fill=theme.line)
    span = Span(float(curve.values.min()), float(curve.values.max()), bottom - CLOSE, top + plan.room + TINY)
    points = [(plan.x(at, step), float(span.place(value))) for step, value in enumerate(curve.values)]
    smooth_line(sheet, points if len(points) > 1 else [points[0], (points[0][0] + 1, points[0][1])], theme.ink)
    _write_numbers(draw, plan, cell, column, theme)
    if at == 0:
        label = text.ellipsised(curve.label, text.SMALL, plan.width)
        text.write(draw, (left, top - text.line_height(text.SMALL) - 2), label, text.SMALL, theme.quiet)
        for tick in _ticks(curve):
            number, y = text.number(tick), span.place(tick)
            text.write(
                draw, (left - TINY - text.width(number, text.SMALL), y - text.line_height(text.SMALL) // 2), number,
                text.SMALL, theme.quiet,
            )  # fmt: skip


def _write_numbers(
    draw: ImageDraw.ImageDraw, plan: _Plan, cell: tuple[int, int], column: Shading, theme: Theme
) -> None:
    """Write what a piece counts for at its top, where there is room."""
    at, row = cell
    if column.numbers is None or len(plan.starts) > _FEW:
        return
    stops = [*plan.starts[1:], plan.steps]
    for weight, start, stop in zip(
        column.numbers[row if len(column.numbers) > 1 else 0], plan.starts, stops, strict=True
    ):
        number = signed_number(float(weight))
        low, high = plan.x(at, start - 0.5), plan.x(at, stop - 0.5)
        wide = text.width(number, text.SMALL)
        if wide + TINY <= high - low:
            text.write(draw, (round((low + high - wide) / 2), plan.tops[row] + 2), number, text.SMALL, theme.ink)


def _write_time(draw: ImageDraw.ImageDraw, plan: _Plan, at: int, time: str, theme: Theme) -> None:
    """Write round steps below the last curve, and what a step is called at its right end."""
    y = plan.tops[-1] + plan.height + TINY
    end = text.width(time, text.SMALL)
    right = plan.lefts[at] + plan.width - end
    text.write(draw, (right, y + text.line_height(text.SMALL) - 4), time, text.SMALL, theme.quiet)
    for tick in ticks(0, plan.steps - 1, 7):
        if tick != int(tick):
            continue
        number = text.number(tick)
        x = round(plan.x(at, tick) - text.width(number, text.SMALL) / 2)
        text.write(draw, (max(x, plan.lefts[at]), y), number, text.SMALL, theme.quiet)


def _write_footer(draw: ImageDraw.ImageDraw, notes: Sequence[str], at: tuple[int, int], theme: Theme) -> None:
    width, y = at
    if notes:
        draw.rectangle((MARGIN, y - CLOSE, width - MARGIN - 1, y - CLOSE + HAIR - 1), fill=theme.line)
    for note in notes:
        text.write(draw, (MARGIN, y), note, text.SMALL, theme.quiet)
        y += text.line_height(text.SMALL)

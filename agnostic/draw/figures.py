"""Figures in print quality: rows of panels, what the model saw beside what explains it."""

from collections.abc import Sequence

from PIL import Image

from agnostic.draw import text
from agnostic.draw.overlays import PERCENTILE
from agnostic.draw.panels import Drawn, Panel, drawn
from agnostic.draw.sheet import DARK, LIGHT, MARGIN, WIDE, Sheet, sheet_height
from agnostic.errors import UsageError

__all__ = ["Panel", "figure"]


def figure(
    rows: Sequence[Sequence[Panel]],
    *,
    footer: str = "",
    heading: str = "",
    dark: bool = False,
    panel_width: int = 560,
) -> Image.Image:
    """Draw rows of panels on one sheet, at twice the size they are read at.

    Args:
        rows: The panels; rows may differ in length, pictures in their proportions.
        footer: Model, settings and seed, in quiet small type.
        heading: One line above everything.
        dark: Light on dark instead of ink on paper.
        panel_width: The width of a column in pixels.
    """
    _check(rows, panel_width)
    ready = [[drawn(panel, panel_width) for panel in row] for row in rows]
    columns = max(map(len, rows))
    room = columns * panel_width + (columns - 1) * WIDE
    notes = text.wrapped(_notes(footer, ready), text.SMALL, room)
    size = room + 2 * MARGIN, sheet_height(ready, heading, notes)
    sheet = Sheet(*size, panel_width, DARK if dark else LIGHT)
    sheet.add_heading(heading)
    for row in ready:
        sheet.add_row(row)
    sheet.add_footer(notes)
    return sheet.image


def _check(rows: Sequence[Sequence[Panel]], panel_width: int) -> None:
    if not rows or not all(rows):
        raise UsageError("a figure has no panel or an empty row; expected rows of one panel or more")
    if panel_width < 64:
        raise UsageError(f"panel_width is {panel_width}; expected at least 64 pixels")


def _notes(footer: str, rows: Sequence[Sequence[Drawn]]) -> str:
    """Add to the footer, where it is so, that colours stop short of the largest values."""
    if not any(panel.scale and panel.scale.clipped for row in rows for panel in row):
        return footer
    clip = f"colours clipped at the {PERCENTILE}th percentile"
    return f"{footer} · {clip}" if footer else clip

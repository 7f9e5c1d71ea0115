"""Portraits side by side, each with its name and the numbers that matter."""

import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

from agnostic.draw import Panel, figure
from agnostic.draw.text import number
from agnostic.errors import UsageError
from agnostic.inputs.picture import on_white
from agnostic.optvis.record import Portrait

COLUMNS = 6
_WIDTH = 256
# As much of a name as stands over a picture; its end tells units apart.
_LETTERS = 17
_LAYER = re.compile(r"([^\s*]+):\d")


def contact_sheet(
    portraits: Sequence[Portrait],
    *,
    columns: int = COLUMNS,
    heading: str = "",
    dark: bool = False,
    bands: Sequence[int] | None = None,
) -> Image.Image:
    """Draw portraits in rows, with captions.

    Args:
        portraits: at least one.
        columns: per row, at most.
        heading: one line above everything.
        dark: light on dark.
        bands: see `Portrait.image`.

    Raises:
        UsageError: there are none, or no columns.
    """
    if not portraits or columns < 1:
        raise UsageError(f"{len(portraits)} pictures in {columns} columns: expected at least one of each")
    layers = {layer for item in portraits for layer in _LAYER.findall(item.label)}
    # Of one layer, its name stands once, in the heading.
    common = layers.pop() if len(layers) == 1 and all(map(_LAYER.search, (item.label for item in portraits))) else ""
    heading = " · ".join(filter(None, (heading, common)))
    panels = [_panel(item, common, bands) for item in portraits]
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    return figure(rows, heading=heading, footer=_footer(portraits[0]), dark=dark, panel_width=_WIDTH)


def _panel(item: Portrait, common: str, bands: Sequence[int] | None) -> Panel:
    pixels = np.asarray(on_white(item.image(bands)))
    label = item.label.split(", ")[0]
    label = label.replace(f"{common}:", "") if common else label
    title = label if len(label) <= _LETTERS else f"…{label[1 - _LETTERS :]}"
    return Panel(pixels, title, caption(item))


def caption(item: Portrait) -> str:
    """Say in one line what the numbers say."""
    measures = item.measures
    if measures.dead:
        return "dead"
    if measures.activation is None:
        return "" if measures.objective is None else f"{number(measures.objective)}"
    share = "" if measures.share is None else f" · holds {100 * measures.share:.0f} %"
    return f"{number(measures.activation)}{share}"


def _footer(item: Portrait) -> str:
    recipe = item.recipe
    preset = recipe.get("preset", {})
    parts = [
        f"{recipe['model']['name']} sha256 {recipe['model']['sha256'][:12]}",
        f"{recipe.get('recipe', 'rendered')} at {preset.get('size')} px, {preset.get('steps')} steps",
        f"seed {recipe.get('seed', 0)}",
        "below each picture: its activation, and how much of it holds under random shifts, turns and scales",
    ]
    return " · ".join(parts)

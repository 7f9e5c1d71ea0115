"""Many small pictures on one sheet, edge to edge but for a hairline; and plain tiles that say why there is none."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.sheet import LIGHT
from agnostic.errors import UsageError

Picture = npt.NDArray[np.uint8]

GAP = 2
_LARGEST, _SMALLEST = text.BODY, 9


class Place(NamedTuple):
    """Where a tile lies on its sheet, in pixels."""

    x: int
    y: int
    width: int
    height: int


def plain_tile(width: int, height: int, lines: Sequence[str]) -> Picture:
    """Draw a tile with a few words in its middle and a hairline around it: (height, width, 3)."""
    tile = Image.new("RGB", (width, height), LIGHT.paper)
    draw = ImageDraw.Draw(tile)
    draw.rectangle((0, 0, width - 1, height - 1), outline=LIGHT.line)
    size = _fitting(lines, width, height)
    top = (height - len(lines) * text.line_height(size)) // 2
    for row, line in enumerate(lines):
        left = (width - text.width(text.drawable(line), size)) // 2
        colour = LIGHT.ink if row == 0 else LIGHT.quiet
        text.write(draw, (left, top + row * text.line_height(size)), text.drawable(line), size, colour)
    return np.asarray(tile)


def tiled(tiles: Sequence[Picture], columns: int, *, gap: int = GAP) -> tuple[Image.Image, list[Place]]:
    """Lay tiles of one size, (h, w, 3) uint8 each, row by row on a sheet.

    Returns:
        The sheet, and where each tile lies.

    Raises:
        UsageError: there are none, or they differ in size.
    """
    if len({tile.shape for tile in tiles}) != 1:
        raise UsageError(f"{len(tiles)} tiles of {len({tile.shape for tile in tiles})} sizes: expected one size")
    if columns < 1:
        raise UsageError(f"{columns} columns: expected at least 1")
    height, width = tiles[0].shape[:2]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = columns * (width + gap) - gap, rows * (height + gap) - gap
    sheet = Image.new("RGB", size, LIGHT.paper)
    places = []
    for number, tile in enumerate(tiles):
        x, y = (number % columns) * (width + gap), (number // columns) * (height + gap)
        sheet.paste(Image.fromarray(tile), (x, y))
        places.append(Place(x, y, width, height))
    return sheet, places


def _fitting(lines: Sequence[str], width: int, height: int) -> int:
    """Find the largest size at which the words fit, with some air around them."""
    for size in range(_LARGEST, _SMALLEST, -1):
        widest = max((text.width(text.drawable(line), size) for line in lines), default=0)
        if widest <= 0.8 * width and len(lines) * text.line_height(size) <= 0.9 * height:
            return size
    return _SMALLEST

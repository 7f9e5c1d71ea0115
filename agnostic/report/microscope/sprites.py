"""Sprites: many small square pictures on one sheet, a JPEG whose bytes depend on nothing but the pictures."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
# Written down, so that no default of another release changes the files.
_JPEG = {"quality": 80, "subsampling": "4:2:0", "optimize": True, "progressive": False}
# The longest side that a JPEG may have.
_LONGEST = 65_500


def columns_for(count: int, cell: int, wished: int = 16) -> int:
    """Choose how many cells stand in a row, so that the sheet is no taller than a JPEG may be.

    >>> columns_for(40, 64), columns_for(100_000, 64)
    (16, 98)
    """
    rows = _LONGEST // cell
    return max(1, min(count, wished), -(-count // rows))


def sheet(cells: Sequence[Pixels], columns: int, side: int) -> bytes:
    """Lay cells (side, side, 3) side by side, row by row; give the bytes of a JPEG."""
    rows = max(1, -(-len(cells) // columns))
    found = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        y, x = divmod(number, columns)
        found[y * side : (y + 1) * side, x * side : (x + 1) * side] = cell
    return jpeg(Image.fromarray(found))


def jpeg(picture: Image.Image, quality: int = 80) -> bytes:
    """Give the bytes of a JPEG without any metadata."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", **{**_JPEG, "quality": quality})
    return buffer.getvalue()


def grey_png(values: npt.NDArray[np.uint8]) -> bytes:
    """Give the bytes of an 8-bit grey PNG, (h, w)."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def mean_colour(cell: Pixels) -> str:
    """The average colour as a page writes it.

    >>> mean_colour(np.full((2, 2, 3), 255, np.uint8))
    '#ffffff'
    """
    return "#" + "".join(f"{round(float(value)):02x}" for value in cell.reshape(-1, 3).mean(axis=0))

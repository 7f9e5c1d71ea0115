"""Samples as small pictures on sheets, as texts, or as rows; what is no picture is shown as what it is."""

from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from agnostic.report.microscope.sprites import Pixels, columns_for, mean_colour, sheet
from agnostic.training.data import Shown

CELL = 96
#: Letters of a text, and values of a row, that a page holds.
LETTERS, VALUES = 600, 40


class Sheet(NamedTuple):
    """Some samples as a page holds them.

    Attributes:
        jpeg: the pictures on one sheet; empty where there is none.
        columns: how many stand in a row.
        samples: for each sample its cell and colour, its text, or its values.
    """

    jpeg: bytes
    columns: int
    samples: list[dict[str, Any]]


def sheet_of(shown: list[Shown]) -> Sheet:
    """Lay out samples."""
    cells: list[Pixels] = []
    rows = [_row(item, cells) for item in shown]
    columns = columns_for(len(cells), CELL) if cells else 1
    return Sheet(sheet(cells, columns, CELL) if cells else b"", columns, rows)


def _row(item: Shown, cells: list[Pixels]) -> dict[str, Any]:
    if item.picture is not None:
        cells.append(cell_of(item.picture))
        return {"cell": len(cells) - 1, "color": mean_colour(cells[-1])}
    if item.text is not None:
        cut = item.text[:LETTERS]
        return {"text": cut + ("…" if len(item.text) > LETTERS else "")}
    return {"values": list(item.values or ())[:VALUES]}


def cell_of(picture: Pixels) -> Pixels:
    """Fit a picture into a cell, on the mean colour of its edge: (CELL, CELL, 3).

    A picture of few pixels keeps them square; others are scaled smoothly.
    """
    whole = Image.fromarray(np.ascontiguousarray(picture[..., :3]))
    ratio = CELL / max(whole.size)
    size = tuple(max(1, round(side * ratio)) for side in whole.size)
    way = Image.Resampling.NEAREST if ratio >= 2 else Image.Resampling.LANCZOS
    small = whole.resize((size[0], size[1]), way)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])[..., :3].mean(axis=0)
    cell = Image.new("RGB", (CELL, CELL), tuple(int(value) for value in edge))
    cell.paste(small, ((CELL - small.width) // 2, (CELL - small.height) // 2))
    return np.asarray(cell)

"""The atlas of a layer: what it holds over many pictures, on a plane, each cell shown by the picture nearest to it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from agnostic.blocks.atlas import FEWEST, Atlas, Cell, Layout, atlas
from agnostic.blocks.examples import Example, Index
from agnostic.blocks.examples_layers import Box
from agnostic.engine.model import Model
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.pages import Patches
from agnostic.report.microscope.shown import Progress
from agnostic.report.microscope.sprites import Pixels, columns_for, sheet
from agnostic.report.microscope.steps import Outcome

CELL = 80
LARGEST = 20
# Places that fill a plane; where there are fewer pictures, each gives several.
ENOUGH = 500
# Places that t-SNE lays out, which fills the plane more evenly, in a minute or so.
MOST_APART = 10_000
# Of the picture, what a cell shows at most: deep layers could see all of it, and answer to what is near their place.
NEAR = 0.4


def write_atlas(
    folder: Folder,
    model: Model,
    index: Index,
    patches: Patches,
    root: Path,
    layer: str,
    slug: str,
    *,
    gradients: bool,
    seed: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """Write the atlas of a layer over all pictures of an index, which lie below `root`."""
    names = [picture.name for picture in index.pictures]
    # Few pictures give several places each, and make a coarse plane rather than an empty one.
    height, width = index.grids[layer].shape
    each = min(-(-ENOUGH // len(names)), max(height - 2, 1) * max(width - 2, 1))
    count = each * len(names)
    fewest = FEWEST if count >= ENOUGH // 2 else 1
    grid = max(2, min(LARGEST, round(math.sqrt(count / fewest))))
    layout: Layout = "tsne" if count <= MOST_APART else "pca"
    found = atlas(
        model, [root / name for name in names], layer, grid=grid, fewest=fewest, each=each, layout=layout, seed=seed,
        support="attribution" if gradients else "prediction", progress=progress,
    )  # fmt: skip
    pictures = [_shown(found, cell, names, index, patches) for cell in found.cells]
    columns = columns_for(len(pictures), CELL, 12)
    cells = [
        {
            "x": (cell.column + 0.5) / grid, "y": (cell.row + 0.5) / grid, "n": len(cell.members),
            "class": cell.supported if cell.supported >= 0 else None,
            "name": model.names.class_name(cell.supported) if cell.supported >= 0 else None, "cell": number,
        }
        for number, cell in enumerate(found.cells)
    ]  # fmt: skip
    files = (
        folder.put(f"atlas/{slug}", {"cells": cells, "columns": columns, "grid": grid}, f"data/atlas/{slug}.js"),
        folder.write(f"data/atlas/{slug}.jpg", sheet(pictures, columns, CELL)),
    )
    return Outcome(files, {"layer": layer, "cells": len(cells)})


def _shown(found: Atlas, cell: Cell, names: Sequence[str], index: Index, patches: Patches) -> Pixels:
    """The patch whose vector lies nearest to a cell's mean."""
    apart = np.linalg.norm(found.points.vectors[cell.members] - cell.vector, axis=1)
    number = int(cell.members[int(apart.argmin())])
    name = names[found.points.pictures[number]]
    grid = index.grids[found.layer]
    y, x = (int(share * size) for share, size in zip(found.points.places[number], grid.shape, strict=True))
    pixels, _ = patches.cut(Example(name, 0.0, (y, x), _near(grid.box(y, x), grid.picture), -1))
    return np.asarray(Image.fromarray(pixels).resize((CELL, CELL), Image.Resampling.LANCZOS))


def _near(box: Box, picture: tuple[int, int]) -> Box:
    """Shrink what a place sees to what lies near it."""
    top, left, bottom, right = box
    down, across = ((low + high) / 2 for low, high in ((top, bottom), (left, right)))
    height, width = (
        min(high - low, round(NEAR * side)) for low, high, side in zip(box[:2], box[2:], picture, strict=True)
    )
    top, left = round(down - height / 2), round(across - width / 2)
    return top, left, top + height, left + width

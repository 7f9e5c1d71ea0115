"""The groups of a layer over all pictures, each shown by the patches that hold most of it."""

from typing import TYPE_CHECKING, Any

from agnostic.blocks.examples import Example, Index
from agnostic.blocks.overall import OverallGroups, Strongest, overall_groups
from agnostic.report.microscope.pages import CELL, Patches
from agnostic.report.microscope.sprites import Pixels, columns_for, sheet
from agnostic.report.microscope.steps import Outcome, fingerprint

if TYPE_CHECKING:
    from agnostic.report.microscope.work import Work

#: Groups of a layer, at most; patches of each, and units that it is mostly made of.
GROUPS, PATCHES, UNITS = 8, 6, 6


def write_overall(work: "Work", layer: str) -> None:
    """Group what a layer holds over all pictures of a site."""
    slug = work.slugs[layer]
    key = fingerprint(work.key, work.files_key, layer)
    work.make(f"overall/{slug}", key, lambda: _written(work, layer, slug))
    work.write_layers()


def _written(work: "Work", layer: str, slug: str) -> Outcome:
    index, folder = work.index, work.folder
    names = [picture.name for picture in index.pictures]
    count = min(GROUPS, index.units(layer), len(names) * _places(index, layer))
    found = overall_groups(
        work.model, [work.files.path(name) for name in names], layer, count,
        seed=work.seed, progress=work.bars(f"groups of {layer}"),
    )  # fmt: skip
    cells: list[Pixels] = []
    groups = [_group(found, number, names, index, work.patches, cells) for number in range(count)]
    columns = columns_for(len(cells), CELL, PATCHES)
    value = {
        "groups": groups, "cell": CELL, "columns": columns, "explained": found.explained, "stability": found.stability,
        "pictures": len(names),
    }  # fmt: skip
    files = (
        folder.put(f"overall/{slug}", value, f"data/layers/{slug}/overall.js"),
        folder.write(f"data/layers/{slug}/overall.jpg", sheet(cells, columns, CELL)),
    )
    return Outcome(files, {"layer": layer, "groups": count})


def _places(index: Index, layer: str) -> int:
    height, width = index.grids[layer].shape
    return height * width


def _group(
    found: OverallGroups, number: int, names: list[str], index: Index, patches: Patches, cells: list[Pixels]
) -> dict[str, Any]:
    direction = found.channels[number]
    rows = []
    for item in found.top(number, PATCHES):
        pixels, placed = patches.cut(_example(item, names, index, found.layer))
        rows.append({"image": names[item.picture], "value": item.value, "cell": len(cells), **placed})
        cells.append(pixels)
    best = sorted(range(len(direction)), key=lambda unit: -abs(direction[unit]))[:UNITS]
    units = [[unit, float(direction[unit])] for unit in best if direction[unit]]
    return {"patches": rows, "units": units}


def _example(item: Strongest, names: list[str], index: Index, layer: str) -> Example:
    return Example(names[item.picture], item.value, item.place, index.grids[layer].box(*item.place), -1)

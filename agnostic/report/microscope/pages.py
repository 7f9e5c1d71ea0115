"""Layer and unit pages, which need onnxruntime only: example patches, what each unit does over many pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agnostic.blocks.examples import Example, Index, patch
from agnostic.blocks.examples_layers import Box
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError
from agnostic.inputs.image import fit
from agnostic.inputs.picture import on_white, open_picture
from agnostic.report.microscope.folder import CACHE, Folder
from agnostic.report.microscope.sprites import Pixels, columns_for, mean_colour, sheet
from agnostic.report.microscope.steps import Facts, Outcome

#: Units whose examples, and icons, share a file.
SHARD = 32
CELL, TOP_CELL = 96, 64
TOP, SPREAD, BOTTOM = 8, 6, 4
# Pixels of the model's input that a patch shows at least: fields of a few pixels say nothing by themselves.
LEAST = 48
BINS = 24
# Pictures that are held opened, and the longest side they are held at.
_OPEN, _SIDE = 128, 384


class Patches:
    """Cuts patches out of the pictures of a folder; those used last stay open."""

    def __init__(self, root: Path, preprocess: Preprocess) -> None:
        """Take the folder, and the model's way from pixels to its input."""
        self._preprocess = preprocess
        self._opened = lru_cache(_OPEN)(lambda name: _small(root / name, preprocess))

    def cut(self, example: Example) -> tuple[Pixels, dict[str, Any]]:
        """Cut out what made a unit respond, and say where peak and field lie in it; grey where the file is gone."""
        seen = window(example.box, self._preprocess.size)
        try:
            pixels = patch(self._opened(example.picture), self._preprocess, seen, side=CELL, least=1).pixels
        except InputError:
            return np.full((CELL, CELL, 3), 128, np.uint8), {"peak": [0.5, 0.5], "box": [0, 0, 1, 1]}
        return pixels, placed(example.box, seen)


def window(box: Box, size: tuple[int, int]) -> Box:
    """The square of a picture that shows a box, moved so that it does not leave the picture.

    >>> window((-20, 10, 20, 50), (100, 100)), window((0, 0, 4, 4), (100, 100))
    ((0, 6, 48, 54), (0, 0, 48, 48))
    """
    length = min(max(box[2] - box[0], box[3] - box[1], LEAST), *size)
    top, left = (min(max((box[axis] + box[axis + 2] - length) // 2, 0), size[axis] - length) for axis in (0, 1))
    return top, left, top + length, left + length


def placed(box: Box, seen: Box) -> dict[str, list[float]]:
    """Where the middle and the edges of a box lie in a window, in 0..1 of it."""
    length = seen[2] - seen[0]
    shares = [min(max((edge - seen[place % 2]) / length, 0.0), 1.0) for place, edge in enumerate(box)]
    middle = [min(max(((box[axis] + box[axis + 2]) / 2 - seen[axis]) / length, 0.0), 1.0) for axis in (0, 1)]
    return {"peak": middle, "box": shares}


def _small(path: Path, preprocess: Preprocess) -> Image.Image:
    seen = on_white(fit(open_picture(path), preprocess))
    ratio = _SIDE / max(seen.size)
    # By one factor, so that the part that is seen keeps its shape.
    if ratio >= 1:
        return seen
    return seen.resize((max(1, round(seen.width * ratio)), max(1, round(seen.height * ratio))), reducing_gap=3)


def write_units(folder: Folder, model: Model, index: Index, patches: Patches, layer: str, slug: str) -> Outcome:
    """Write the examples of every unit of a layer, and the sheet of their top examples.

    The facts hold what the layer's page says of each unit.
    """
    units = index.units(layer)
    named = _namer(model)
    files, tops = [], []
    for shard in range(-(-units // SHARD)):
        numbers = range(shard * SHARD, min((shard + 1) * SHARD, units))
        cells: list[Pixels] = []
        rows = {}
        for unit in numbers:
            first = len(cells)
            rows[unit] = _examples(index, layer, unit, patches, named, cells)
            tops.append(_halved(cells[first]))
        columns = columns_for(len(cells), CELL)
        base = f"data/layers/{slug}/examples-{shard}"
        value = {"cell": CELL, "columns": columns, "units": rows}
        files += [
            folder.put(f"examples/{slug}/{shard}", value, f"{base}.js"),
            folder.write(f"{base}.jpg", sheet(cells, columns, CELL)),
        ]
    columns = columns_for(units, TOP_CELL)
    files.append(folder.write(f"data/layers/{slug}/top.jpg", sheet(tops, columns, TOP_CELL)))
    about = units_of(index, layer, [mean_colour(top) for top in tops], named)
    files.append(folder.put(f"units/{slug}", about, f"{CACHE}/units/{slug}.js"))
    grid = index.grids[layer]
    field = None if grid.field is None else [grid.field.down.size, grid.field.down.stride]
    facts = {"columns": columns, "units": units, "dead": sum(unit["dead"] for unit in about), "receptive": field}
    return Outcome(tuple(files), {**facts, "grid": grid.shape})


def _halved(cell: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(cell).resize((TOP_CELL, TOP_CELL), Image.Resampling.LANCZOS))


def _namer(model: Model) -> Callable[[int], str | None]:
    return lambda index: model.names.class_name(index) if index >= 0 else None


def _examples(
    index: Index,
    layer: str,
    unit: int,
    patches: Patches,
    named: Callable[[int], str | None],
    cells: list[Pixels],
) -> dict[str, list[dict[str, Any]]]:
    """Describe a unit's examples; a patch that comes up twice is stored once."""
    shape = index.grids[layer].shape
    at: dict[tuple[str, tuple[int, int]], tuple[int, dict[str, Any]]] = {}

    def row(example: Example) -> dict[str, Any]:
        key = (example.picture, example.peak)
        if key not in at:
            pixels, places = patches.cut(example)
            at[key] = (len(cells), places)
            cells.append(pixels)
        cell, places = at[key]
        made = {"image": example.picture, "cell": cell, **places, "value": example.value}
        made |= {"label": named(example.predicted) or "", "place": example.peak, "grid": shape}
        return made if example.quantile is None else {**made, "quantile": example.quantile}

    return {
        "top": [row(item) for item in index.top(layer, unit)[:TOP]],
        "spread": [row(item) for item in index.spread(layer, unit, SPREAD)],
        "bottom": [row(item) for item in index.bottom(layer, unit)[:BOTTOM]],
    }


def units_of(
    index: Index, layer: str, colours: Sequence[str], named: Callable[[int], str | None]
) -> list[dict[str, Any]]:
    """What is known of each unit of a layer over all pictures."""
    stats = index.stats(layer)
    return [
        {
            "n": unit,
            "max": stats.maximum[unit],
            "mean": stats.mean[unit],
            "share_active": stats.active[unit],
            "dead": bool(stats.dead[unit]),
            "selectivity": _selective(int(stats.selective_class[unit]), float(stats.selectivity[unit]), named),
            "color": colour,
            "histogram": _histogram(index, layer, unit),
            "supports": [],
        }
        for unit, colour in enumerate(colours)
    ]


def _selective(index: int, value: float, named: Callable[[int], str | None]) -> dict[str, Any] | None:
    return None if index < 0 else {"class": index, "name": named(index), "value": value}


def _histogram(index: Index, layer: str, unit: int) -> dict[str, Any]:
    found = index.histogram(layer, unit, BINS)
    return {"edges": [found.low, found.high], "counts": found.counts}


def write_layer(folder: Folder, about: Mapping[str, Any], units: Facts, links: "Links") -> Outcome:
    """Write a layer's page: its units, with the classes and neighbours that the pictures' pages found."""
    slug = str(about["slug"])
    rows = folder.get(f"{CACHE}/units/{slug}.js") or []
    for row in rows:
        row["supports"] = links.supports(slug, row["n"])
    value = {
        **about,
        "columns": units.get("columns", 1),
        "cell": TOP_CELL,
        "units": rows,
        "neighbours": {row["n"]: found for row in rows if (found := links.neighbours(slug, row["n"]))},
    }
    return Outcome((folder.put(f"layer/{slug}", value, f"data/layers/{slug}.js"),), {})


class Links:
    """What the pictures' pages say of units, as the mean over the pictures that speak of them."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._classes: dict[tuple[str, int], dict[int, tuple[str, list[float]]]] = {}
        self._up: dict[tuple[str, int], dict[tuple[str, int], list[float]]] = {}
        self._down: dict[tuple[str, int], dict[tuple[str, int], list[float]]] = {}

    def add_image(self, slug: str, page: Mapping[str, Any] | None) -> None:
        """Take in which classes the units of a layer support on one picture."""
        for unit, rows in ((page or {}).get("classes_of") or {}).items():
            held = self._classes.setdefault((slug, int(unit)), {})
            for index, name, value in rows:
                held.setdefault(int(index), (name, []))[1].append(value or 0.0)

    def add_pair(self, page: Mapping[str, Any] | None) -> None:
        """Take in which units of an earlier layer feed those of a later one on one picture."""
        for unit, rows in ((page or {}).get("units") or {}).items():
            late = (str(page["to"]), int(unit)) if page else ("", 0)
            for other, value in rows:
                early = (str(page["from"]), int(other)) if page else ("", 0)
                self._up.setdefault(late, {}).setdefault(early, []).append(value or 0.0)
                self._down.setdefault(early, {}).setdefault(late, []).append(value or 0.0)

    def supports(self, slug: str, unit: int) -> list[dict[str, Any]]:
        """The three classes that a unit adds most to."""
        rows = self._classes.get((slug, unit), {})
        means = [(index, name, float(np.mean(values))) for index, (name, values) in rows.items()]
        best = sorted((row for row in means if row[2] > 0), key=lambda row: (-row[2], row[0]))[:3]
        return [{"class": index, "name": name, "value": value} for index, name, value in best]

    def neighbours(self, slug: str, unit: int) -> dict[str, list[list[Any]]]:
        """The three units that feed a unit most, and the three that it feeds most."""
        found = {}
        for way, table in (("up", self._up), ("down", self._down)):
            if rows := list(_strongest(table.get((slug, unit), {}))):
                found[way] = rows
        return found


def _strongest(rows: Mapping[tuple[str, int], Sequence[float]]) -> Iterator[list[Any]]:
    means = [(slug, unit, float(np.mean(values))) for (slug, unit), values in rows.items()]
    for slug, unit, value in sorted(means, key=lambda row: (-abs(row[2]), row[0], row[1]))[:3]:
        yield [slug, unit, value]

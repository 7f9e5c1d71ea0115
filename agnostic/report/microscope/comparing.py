"""Two models side by side: which units do the same over the same pictures, and how far their answers agree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agnostic import api
from agnostic.answers import scores
from agnostic.blocks.compare import agreement, matched_units
from agnostic.blocks.examples import Index
from agnostic.blocks.maps import as_sample
from agnostic.engine.model import Model
from agnostic.errors import InputError
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.graph import Drawn
from agnostic.report.microscope.pages import TOP_CELL, Patches
from agnostic.report.microscope.shown import Shown
from agnostic.report.microscope.sprites import Pixels, columns_for, sheet
from agnostic.report.microscope.steps import Outcome

FEWEST_CLASSES, PAIRS = 3, 200


def pairs_of(a: Drawn, b: Drawn, wanted: Sequence[str]) -> list[tuple[str, str]]:
    """Pair layers of two models: those of the same name, else those at the same share of the depth."""
    names = {layer.name for layer in b.layers}
    same = [(name, name) for name in wanted if name in names]
    if same:
        return same
    deepest = max(b.column.values(), default=0)
    scale = deepest / (max(a.column.values(), default=0) or 1)
    places = [layer.name for layer in b.layers if layer.kind != "vector"] or [layer.name for layer in b.layers]
    return [(name, min(places, key=lambda it: abs(b.column[it] - scale * a.column[name]))) for name in wanted]


def write_compare(
    folder: Folder,
    models: tuple[Model, Model],
    pictures: Sequence[Path],
    pairs: Sequence[tuple[str, str]],
    slugs: dict[str, str],
    index: Index,
    patches: Patches,
    shown: Sequence[tuple[Shown, Path]],
) -> Outcome:
    """Write the comparison; `index` holds examples of the other model's layers."""
    files = []
    layers = []
    for found in matched_units(*models, pictures, pairs):
        slug = slugs[found.layer_a]
        units = index.units(found.layer_b)
        columns = columns_for(units, TOP_CELL)
        tops = [_top(index, patches, found.layer_b, unit) for unit in range(units)]
        sprite = folder.write(f"data/compare/{slug}.jpg", sheet(tops, columns, TOP_CELL))
        files.append(sprite)
        rows = zip(found.pairs.tolist(), found.strengths.tolist(), strict=True)
        layers.append(
            {
                "a": slug,
                "b": slug,
                "name_b": found.layer_b,
                "pairs": [[one, other, value] for (one, other), value in rows][:PAIRS],
                "mean_r": float(found.strengths.mean()),
                "sprite_b": sprite,
                "columns_b": columns,
            }
        )
    value = {
        "a": {"name": models[0].name},
        "b": {"name": models[1].name},
        "layers": layers,
        "outputs": _outputs(models, pictures),
        "images": [_answers(models, item, path) for item, path in shown],
    }
    return Outcome((*files, folder.put("compare", value, "data/compare.js")), {"compare": True})


def _top(index: Index, patches: Patches, layer: str, unit: int) -> Pixels:
    cell, _ = patches.cut(index.top(layer, unit)[0])
    return np.asarray(Image.fromarray(cell).resize((TOP_CELL, TOP_CELL), Image.Resampling.LANCZOS))


def _outputs(models: tuple[Model, Model], pictures: Sequence[Path]) -> dict[str, Any] | None:
    """How far the answers agree; None where the models know different classes."""
    try:
        found = agreement(*models, pictures)
    except InputError:
        return None
    return {"agreement": found.agreement, "largest": found.largest, "mean": found.mean}


def _answers(models: tuple[Model, Model], shown: Shown, path: Path) -> dict[str, Any]:
    other = scores.predict(models[1], as_sample(models[1], path), FEWEST_CLASSES)
    return {
        "id": shown.id,
        "a": [_answer(item) for item in shown.predictions[:FEWEST_CLASSES]],
        "b": [_answer(item) for item in other],
    }


def _answer(item: api.Prediction) -> dict[str, Any]:
    return {"name": item.name, "probability": item.probability}

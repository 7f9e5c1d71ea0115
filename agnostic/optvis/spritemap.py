"""Every unit of a layer on one sheet: rendered in batches, each kept as soon as it is done, resumed where it stopped.

Beside the sheet lies an index (JSON): where each unit is, and its numbers. The pictures themselves, each with its
recipe, lie in a folder; one that is there already, of the same model, unit and recipe, is not rendered again.
"""

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.draw.tiles import plain_tile, tiled
from agnostic.engine.gradients import Parity
from agnostic.errors import InputError, UsageError
from agnostic.explanation import write_whole
from agnostic.inputs.picture import on_white, open_picture
from agnostic.optvis.measures import Measures, measure
from agnostic.optvis.recipes import Order, get
from agnostic.optvis.record import FORMAT as PICTURE
from agnostic.optvis.record import Portrait, portraits, read_recipe
from agnostic.optvis.rendering import Rendering, Stopped
from agnostic.optvis.scoring import Scorer
from agnostic.optvis.stopping import STOPS, reason

#: Units per batch; fixed, since a picture's last bits depend on it.
BATCH = 16
FORMAT = "agnostic.sprites.1"
#: Told after each step: the steps done, the steps there are, the mean of the objective.
Watch = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Spritemap:
    """What came of a layer.

    Attributes:
        layer: the layer.
        sheet: the file of the sheet.
        index: the file of the index.
        units: one row per unit, in their order: `unit`, `place` on the sheet, `measures`, `file`.
        rendered: how many of them were rendered now, and not found.
        stopped: why some are missing; empty when all are there.
    """

    layer: str
    sheet: Path
    index: Path
    units: Sequence[Mapping[str, Any]]
    rendered: int
    stopped: Stopped


@dataclass(frozen=True)
class _Work:
    """What all units share."""

    order: Order
    layer: str
    folder: Path
    made_by: Mapping[str, Any]
    settings: Mapping[str, Any]
    parity: Parity | None
    scorer: Scorer

    def key(self, unit: int) -> str:
        """Name the content of a unit's picture: the model, the unit and the recipe."""
        content = [PICTURE, self.order.lens.model.sha256, self.layer, unit, self.made_by]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def stem(self, unit: int) -> str:
        return f"{unit:05d}"

    def found(self, unit: int) -> bool:
        """Tell whether a unit's picture is there, whole and of this very recipe."""
        try:
            record = read_recipe(self.folder / f"{self.stem(unit)}.json")
            content = (self.folder / str(record["files"]["picture"])).read_bytes()
        except (InputError, OSError, KeyError, TypeError):
            return False
        whole = sha256(content).hexdigest() == record["files"].get("sha256")
        return whole and record.get("key") == self.key(unit) and not record.get("stopped")


def spritemap(
    order: Order,
    layer: str,
    folder: Path,
    *,
    made_by: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    activity: npt.NDArray[np.floating] | None = None,
    parity: Parity | None = None,
    columns: int = 16,
    bands: Sequence[int] | None = None,
) -> Spritemap:
    """Render every unit of a layer.

    Args:
        order: what every recipe gets; its names are not read.
        layer: the layer.
        folder: where LAYER.png, LAYER.json and the folder of pictures go.
        made_by: what the pictures are made with, as plain values; with the model and the unit it is what a picture is
            known by.
        settings: options of the recipe `unit`; not both signs.
        activity: (pictures, units) how much each of the user's pictures excites each unit: the most active units come
            first, and every unit's percentile is known.
        parity: recorded.
        columns: of the sheet.
        bands: the channels shown, of pictures whose channels are no colours.

    Raises:
        UsageError: there is no such layer, or its number of units is not known.
        LimitError: nothing can be written.
    """
    given = dict(settings or {})
    if given.get("sign") == "both":
        raise UsageError("--sign both makes two pictures of a unit, a sheet shows one: run it once with each sign")
    stem = slug(layer)
    inside = folder / f"{stem}.units"
    inside.mkdir(parents=True, exist_ok=True)
    work = _Work(order, layer, inside, made_by, given, parity, Scorer(order.lens))
    units = unit_count(order, layer)
    rendered, stopped = _fill(work, _by_activity(units, activity), bands)
    return _assembled(work, folder, stem, units, activity, columns, rendered, stopped)


def unit_count(order: Order, layer: str) -> int:
    """Count the units of a layer.

    Raises:
        UsageError: there is no such layer, or the graph does not say.
    """
    found = order.lens.model.layer(layer)
    count = found.shape[-1 if found.kind == "tokens" else 0]
    if count is None:
        raise UsageError(f"the graph does not say how many units {layer!r} has; name them: {layer}:0 {layer}:1 …")
    return count


def slug(layer: str) -> str:
    """Turn a layer's name into that of a file.

    >>> slug("/features/0/conv:out")
    'features-0-conv-out'
    """
    return re.sub(r"[^\w.]+", "-", layer).strip("-.") or "layer"


def _by_activity(units: int, activity: npt.NDArray[np.floating] | None) -> list[int]:
    if activity is None:
        return list(range(units))
    return [int(unit) for unit in np.argsort(-activity.mean(axis=0), kind="stable")]


def _fill(work: _Work, units: Sequence[int], bands: Sequence[int] | None) -> tuple[int, Stopped]:
    """Render what is missing; a batch is the same whatever is there already, so that its pictures are too."""
    batches = [units[start : start + BATCH] for start in range(0, len(units), BATCH)]
    missing = [batch for batch in batches if not all(work.found(unit) for unit in batch)]
    rendered = 0
    for number, batch in enumerate(missing):
        try:
            rendering = _render(work, batch, number, len(missing))
            if rendering.stopped:
                return rendered, rendering.stopped
            for unit, portrait in zip(batch, _portraits(work, batch, rendering), strict=True):
                portrait.save(work.folder, work.stem(unit), bands)
        except STOPS as stop:
            return rendered, reason(stop)
        rendered += len(batch)
    return rendered, ""


def _render(work: _Work, batch: Sequence[int], number: int, batches: int) -> Rendering:
    watch = work.order.progress

    def told(done: int, steps: int, value: float) -> None:
        if watch is not None:
            watch(number * steps + done, batches * steps, value)

    names = tuple(f"{work.layer}:{unit}" for unit in batch)
    order = replace(work.order, names=names, streams=tuple(batch), batch_size=BATCH, progress=told)
    return get("unit")(order, **work.settings)


def _portraits(work: _Work, batch: Sequence[int], rendering: Rendering) -> list[Portrait]:
    model = work.order.lens.model
    names = [f"{work.layer}:{unit}" for unit in batch]
    targets = [model.target(name) for name in rendering.names]
    measures = measure(work.scorer, rendering, targets, seed=work.order.seed)
    found = portraits(rendering, names, measures, model=model, made_by=work.made_by, parity=work.parity)
    return [
        replace(item, recipe={**item.recipe, "key": work.key(unit)}) for unit, item in zip(batch, found, strict=True)
    ]


def _assembled(
    work: _Work,
    folder: Path,
    stem: str,
    units: int,
    activity: npt.NDArray[np.floating] | None,
    columns: int,
    rendered: int,
    stopped: Stopped,
) -> Spritemap:
    """Lay the pictures on the sheet in the order of their numbers, and write where they are."""
    records = [_record(work, unit) for unit in range(units)]
    size = work.order.preset.size
    tiles = [_tile(work, unit, record, size) for unit, record in enumerate(records)]
    sheet, places = tiled(tiles, columns)
    rows = [
        {
            "unit": unit,
            "place": places[unit]._asdict(),
            "measures": _numbers(record, activity, unit),
            "file": f"{work.folder.name}/{work.stem(unit)}.png" if record else None,
        }
        for unit, record in enumerate(records)
    ]
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", compress_level=6)
    write_whole(folder / f"{stem}.png", buffer.getvalue())
    model = work.order.lens.model
    head = {"format": FORMAT, "model": {"name": model.name, "sha256": model.sha256}, "layer": work.layer}
    index = {**head, **work.made_by, "sheet": f"{stem}.png", "stopped": stopped, "units": rows}
    write_whole(folder / f"{stem}.json", (json.dumps(index, indent=1) + "\n").encode())
    return Spritemap(work.layer, folder / f"{stem}.png", folder / f"{stem}.json", rows, rendered, stopped)


def _record(work: _Work, unit: int) -> dict[str, Any] | None:
    return read_recipe(work.folder / f"{work.stem(unit)}.json") if work.found(unit) else None


def _tile(work: _Work, unit: int, record: Mapping[str, Any] | None, size: int) -> npt.NDArray[np.uint8]:
    if record is None:
        return plain_tile(size, size, [str(unit), "not yet"])
    picture = on_white(open_picture(work.folder / str(record["files"]["picture"])))
    return np.asarray(picture if picture.size == (size, size) else picture.resize((size, size), Image.Resampling.BOX))


def _numbers(
    record: Mapping[str, Any] | None, activity: npt.NDArray[np.floating] | None, unit: int
) -> dict[str, Any] | None:
    if record is None:
        return None
    measures = Measures(**record["measures"])
    return (measures if activity is None else measures.beside(activity[:, unit])).as_dict()

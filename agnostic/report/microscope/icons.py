"""Icons: what units have learned, rendered in batches, kept by what they are made from, and laid out in sheets.

The most important units come first. A batch holds the same units whatever is kept already, since a picture's last bits
depend on its company: a build that was stopped ends with the same bytes.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.blocks.badges import Badge
from agnostic.blocks.examples import Index
from agnostic.blocks.maps import as_sample, layer_maps
from agnostic.blocks.trust import robust_activation, unit_consistency
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.errors import InputError, missing_extra
from agnostic.inputs.picture import on_white, open_picture
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.images import attempted, written
from agnostic.report.microscope.pages import SHARD
from agnostic.report.microscope.sprites import Pixels, sheet
from agnostic.report.microscope.steps import Outcome

BATCH = 16
CELL, COLUMNS = 128, 8
# Pictures whose mean activations an icon is judged beside.
JUDGES = 256
Progress = Callable[[int, int], None]
Means = npt.NDArray[np.floating[Any]]


class Icons:
    """Renders units of one model by one recipe; what is rendered stays in the site's cache."""

    def __init__(self, folder: Folder, model: Model, *, preset: str = "draft", seed: int = 0) -> None:
        """Look through the model.

        Raises:
            UsageError: torch is not installed, or there is no such preset.
            ModelError: the model has no gradient.
            InputError: it eats no pictures.
        """
        if model.no_gradient is not None and "torch" in model.no_gradient:
            raise missing_extra("torch", "grad", "rendering icons")
        from agnostic.optvis import presets, recipes
        from agnostic.optvis.lens import Lens
        from agnostic.optvis.params.colour import PHOTO

        lens = Lens(model)
        kept = PHOTO if lens.space.channels == PHOTO.channels else None
        self.model, self.preset, self.seed = model, presets.preset(preset), seed
        self._order = recipes.Order(lens, (), self.preset, colours=kept, seed=seed, batch_size=BATCH)
        self._recipe = recipes.get("unit")
        self._folder = folder.cache("icons")
        self._site = folder

    @property
    def made_by(self) -> dict[str, Any]:
        """What the pictures are made with, as plain values."""
        from agnostic.optvis.portraying import made_with

        return made_with(self._order, self._recipe, {})

    def kept(self, layer: str, units: Iterable[int]) -> list[int]:
        """Those of some units whose pictures are there."""
        made_by = self.made_by
        keys = {unit: self._key(layer, unit, made_by) for unit in units}
        return [unit for unit, key in keys.items() if self._record(key) is not None]

    def _key(self, layer: str, unit: int, made_by: Mapping[str, Any]) -> str:
        """Name a picture by its content: the model, the unit and the recipe."""
        content = [self.model.sha256, layer, unit, made_by]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]

    def _record(self, key: str) -> dict[str, Any] | None:
        """What is known of a picture that is there, whole."""
        from agnostic.optvis.record import read_recipe

        try:
            record = read_recipe(self._folder / f"{key}.json")
            whole = sha256((self._folder / f"{key}.png").read_bytes()).hexdigest() == record["files"]["sha256"]
        except (InputError, OSError, KeyError, TypeError):
            return None
        return record if whole else None

    def render(
        self,
        layer: str,
        units: Sequence[int],
        *,
        progress: Progress | None = None,
        after: Callable[[], None] | None = None,
    ) -> int:
        """Render what is missing of some units, in their order; give the number of pictures made.

        Args:
            layer: the layer.
            units: its units, the most important first.
            progress: called with units done and units in all, at every step.
            after: called after each batch.
        """
        batches = [units[start : start + BATCH] for start in range(0, len(units), BATCH)]
        made = 0
        for number, batch in enumerate(batches):
            if len(self.kept(layer, batch)) < len(batch):
                self._batch(layer, batch, _watching(progress, number * BATCH, len(batch), len(units)))
                made += len(batch)
                if after is not None:
                    after()
            if progress is not None:
                progress(min((number + 1) * BATCH, len(units)), len(units))
        return made

    def _batch(self, layer: str, batch: Sequence[int], watch: Callable[[int, int, float], None]) -> None:
        from agnostic.optvis.portraying import portray

        names = tuple(f"{layer}:{unit}" for unit in batch)
        made_by = self.made_by
        portraits, stopped = portray(replace(self._order, names=names, progress=watch), self._recipe, {})
        if stopped == "interrupt":
            raise KeyboardInterrupt
        if stopped and (deadline := current()) is not None:
            raise deadline.error()
        for unit, portrait in zip(batch, portraits, strict=True):
            portrait.save(self._folder, self._key(layer, unit, made_by))

    def write(self, layer: str, slug: str, count: int, seen: "Seen") -> Outcome:
        """Lay out what is there of a layer; the facts name the shards and count the icons."""
        made_by = self.made_by
        files: list[str] = []
        shards: list[int] = []
        total = 0
        for shard in range(-(-count // SHARD)):
            units = range(shard * SHARD, min((shard + 1) * SHARD, count))
            records = {unit: self._record(self._key(layer, unit, made_by)) for unit in units}
            found = {unit: record for unit, record in records.items() if record is not None}
            if found:
                files += self._shard(layer, slug, shard, found, seen)
                shards.append(shard)
                total += len(found)
        return Outcome(
            tuple(files), {"icons": shards, "complete_icons": total, "layer": layer, "preset": made_by["preset"]}
        )

    def _shard(
        self, layer: str, slug: str, shard: int, found: Mapping[int, Mapping[str, Any]], seen: "Seen"
    ) -> list[str]:
        cells = [self._cell(record) for record in found.values()]
        rows = {unit: _about(cell, record, seen, layer, unit) for cell, (unit, record) in enumerate(found.items())}
        base = f"data/layers/{slug}/icons-{shard}"
        value = {"cell": CELL, "columns": COLUMNS, "units": rows}
        return [
            self._site.put(f"icons/{slug}/{shard}", value, f"{base}.js"),
            self._site.write(f"{base}.jpg", sheet(cells, COLUMNS, CELL)),
        ]

    def _cell(self, record: Mapping[str, Any]) -> Pixels:
        picture = on_white(open_picture(self._folder / Path(str(record["files"]["picture"])).name))
        return np.asarray(picture.resize((CELL, CELL), Image.Resampling.LANCZOS))


class Seen:
    """What the user's pictures say of a layer's units: how much each excites them, and what their top examples are."""

    def __init__(self, means: Means | None, labels: Callable[[int], Sequence[str]]) -> None:
        """Take (pictures, units) mean activations, or None, and the labels of a unit's top examples."""
        self.means, self.labels = means, labels

    def badges(self, record: Mapping[str, Any], unit: int) -> list[Badge]:
        """Judge an icon."""
        found: list[Badge | None] = []
        robust = record["measures"].get("robust")
        if self.means is not None and robust is not None:
            others = self.means[:, unit]
            found.append(attempted(lambda: robust_activation([robust], others)))
        if len(labels := self.labels(unit)) > 1:
            found.append(attempted(lambda: unit_consistency(labels)))
        return [badge for badge in found if badge is not None]

    def percentile(self, record: Mapping[str, Any], unit: int) -> float | None:
        """Of the user's pictures, how many in a hundred excite the unit less than the icon does."""
        value = record["measures"].get("activation")
        if self.means is None or value is None:
            return None
        return 100 * float((self.means[:, unit] < value).mean())


def seen_by(model: Model, index: Index, path_of: Callable[[str], Path], layer: str) -> Seen:
    """Look at a layer's units on the first pictures of an index, which lie where `path_of` says."""
    if layer not in index.grids:
        return Seen(None, lambda _unit: [])
    samples = (as_sample(model, path_of(item.name)) for item in index.pictures[:JUDGES])

    def labels(unit: int) -> list[str]:
        return [model.names.class_name(item.predicted) for item in index.top(layer, unit)[:8] if item.predicted >= 0]

    return Seen(mean_activations(model, samples, layer), labels)


def mean_activations(model: Model, rows: Iterable[Any], layer: str) -> Means:
    """The mean over places of every unit of a layer on each of some samples: (samples, units)."""
    return np.stack([layer_maps(model, sample, layer).mean(axis=(1, 2)) for sample in rows])


def by_importance(count: int, important: Iterable[int]) -> list[int]:
    """Order the units of a layer: those that the pictures' pages speak of first, each kind by number."""
    first = sorted({unit for unit in important if 0 <= unit < count})
    chosen = set(first)
    return [*first, *(unit for unit in range(count) if unit not in chosen)]


def _about(cell: int, record: Mapping[str, Any], seen: Seen, layer: str, unit: int) -> dict[str, Any]:
    measures = cast(Mapping[str, Any], record["measures"])
    recipe = {
        "of": f"{layer}:{unit}",
        **{name: record[name] for name in ("recipe", "preset", "seed", "steps_done", "versions") if name in record},
    }
    return {
        "cell": cell,
        "value": measures.get("activation"),
        "robust": measures.get("share"),
        "high_frequency": measures.get("fine"),
        "percentile": seen.percentile(record, unit),
        "dead": bool(measures.get("dead")),
        "recipe": recipe,
        "badges": [written(badge) for badge in seen.badges(record, unit)],
    }


def _watching(progress: Progress | None, before: int, size: int, total: int) -> Callable[[int, int, float], None]:
    def told(done: int, steps: int, _value: float) -> None:
        if progress is not None:
            progress(before + int(size * done / max(1, steps)), total)

    return told

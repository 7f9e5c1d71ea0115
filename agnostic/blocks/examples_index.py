"""An index of examples: for every unit the pictures that excite it most, least and in between, and its statistics."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.blocks.examples_layers import Box, Grid
from agnostic.blocks.examples_store import FORMAT, Header, keys_of, manifest_path, read_header, read_summary, shard_path
from agnostic.blocks.examples_summary import Array32, Bins, Extremes, Ints, Summary, edges, select
from agnostic.errors import InputError, UsageError, unknown


class Picture(NamedTuple):
    """A picture of the index: its relative name, and the class predicted for it, -1 where there are no classes."""

    name: str
    predicted: int


class Skipped(NamedTuple):
    """A file that gave no picture."""

    file: str
    reason: str


@dataclass(frozen=True)
class Example:
    """A picture that shows what a unit responds to.

    Attributes:
        picture: its relative name.
        value: the unit's largest activation on it.
        peak: row and column of that on the layer's map.
        box: what that place sees, in pixels of the model's input: top, left, bottom, right; may leave the picture.
        predicted: the class predicted for the picture, -1 where there are no classes.
        quantile: its rank among the sampled pictures, from 0 (least) to 1 (most); None where it was not sampled for.
    """

    picture: str
    value: float
    peak: tuple[int, int]
    box: Box
    predicted: int
    quantile: float | None = None


class Histogram(NamedTuple):
    """How often a unit's peaks fall into bins of equal width from `low` to `high`."""

    low: float
    high: float
    counts: Ints


@dataclass(frozen=True, eq=False)
class Stats:
    """What is known of all units of a layer; a picture counts with the unit's peak on it.

    Attributes:
        maximum: (units,) float32, the largest peak.
        minimum: (units,) float32, the smallest.
        mean: (units,) float64.
        active: (units,) float64, the share of pictures whose peak is above 0.
        selective_class: (units,) the class with the largest mean peak; -1 where fewer than two classes were predicted,
            or no peak is above 0.
        selectivity: (units,) float64 in 0..1, (a - b) / (a + b) of that class's mean a and the mean b of the other
            classes' means, negative peaks taken as 0; 0 where there is no such class. After Morcos et al., "On the
            importance of single directions for generalization", ICLR 2018.
    """

    maximum: Array32
    minimum: Array32
    mean: npt.NDArray[np.float64]
    active: npt.NDArray[np.float64]
    selective_class: Ints
    selectivity: npt.NDArray[np.float64]

    @property
    def dead(self) -> npt.NDArray[np.bool_]:
        """(units,) the units that never respond."""
        silent: npt.NDArray[np.bool_] = self.active == 0
        return silent


class _Layer(NamedTuple):
    """A layer over all shards; its pictures are numbered by the rank of their names."""

    top: Extremes
    bottom: Extremes
    sample: Extremes  # of each unit in the order of the values, ascending
    total: npt.NDArray[np.float64]
    active: Ints
    bins: Bins
    class_sums: npt.NDArray[np.float64]  # (classes, units)


@dataclass(frozen=True, eq=False)
class Index:
    """Examples and statistics of the units of some layers; `build`, `load` and `merge` make one.

    A layer is read from the files when it is first asked for.

    Attributes:
        manifest: what is indexed: model, preprocessing, layers, settings.
    """

    manifest: dict[str, Any]
    _shards: tuple[Header, ...]
    _held: dict[str, _Layer] = field(default_factory=dict, repr=False)

    @cached_property
    def grids(self) -> dict[str, Grid]:
        """The layers by name, with their units, places, and what a place sees."""
        return {values["name"]: Grid.from_json(values) for values in self.manifest["layers"]}

    @cached_property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures, by name."""
        found = [
            Picture(shard.names[number], int(label))
            for shard in self._shards
            for number, label in zip(shard.pictures, shard.predicted, strict=True)
        ]
        return tuple(sorted(found))

    @cached_property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that gave no picture, by name."""
        return tuple(sorted(Skipped(s.names[number], reason) for s in self._shards for number, reason in s.skipped))

    @property
    def classes(self) -> dict[int, int]:
        """How many pictures were predicted to be of each class that was predicted at all."""
        labels = np.array([picture.predicted for picture in self.pictures], np.int64)
        found, counts = np.unique(labels[labels >= 0], return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    def units(self, layer: str) -> int:
        """How many units a layer has.

        Raises:
            UsageError: the layer is not in the index.
        """
        return self._grid(layer).units

    def top(self, layer: str, unit: int) -> tuple[Example, ...]:
        """The pictures with the largest peaks, the largest first, of equal ones the first by name.

        Raises:
            UsageError: the layer or unit is not in the index.
        """
        return self._examples(layer, unit, self._layer(layer, unit).top)

    def bottom(self, layer: str, unit: int) -> tuple[Example, ...]:
        """The pictures with the smallest peaks, the smallest first, of equal ones the first by name.

        Raises:
            UsageError: the layer or unit is not in the index.
        """
        return self._examples(layer, unit, self._layer(layer, unit).bottom)

    def spread(self, layer: str, unit: int, count: int = 9) -> tuple[Example, ...]:
        """Pictures at evenly spaced quantiles of the unit's peaks, from the least to the most among the sampled.

        Raises:
            UsageError: the layer or unit is not in the index, or fewer than two were asked for.
        """
        if count < 2:
            raise UsageError(f"count={count}: expected at least 2 examples to spread")
        sample = self._layer(layer, unit).sample
        size = len(sample.values)
        # Half-way points go up, whatever the machine rounds to.
        rows = sorted({(2 * place * (size - 1) + count - 1) // (2 * (count - 1)) for place in range(count)})
        quantiles = [row / (size - 1) if size > 1 else 1.0 for row in rows]
        chosen = Extremes(*(part[rows] for part in sample))
        return self._examples(layer, unit, chosen, quantiles)

    def stats(self, layer: str) -> Stats:
        """The statistics of all units of a layer.

        Raises:
            UsageError: the layer is not in the index.
        """
        held, count = self._layer(layer), len(self.pictures)
        best, selectivity = _selectivity(held.class_sums, np.array(list(self.classes.values())))
        named = np.array([*self.classes, -1])[best]
        return Stats(
            held.top.values[0], held.bottom.values[0], held.total / count, held.active / count, named, selectivity
        )

    def histogram(self, layer: str, unit: int, bins: int = 24) -> Histogram:
        """Count the unit's peaks in bins of equal width.

        They were counted in narrower bins, at most 1/32 of their value wide: each of those goes to the bin that holds
        its middle.

        Raises:
            UsageError: the layer or unit is not in the index.
        """
        held = self._layer(layer, unit)
        low, high = float(held.bottom.values[0, unit]), float(held.top.values[0, unit])
        mine = held.bins.units == unit
        starts, stops = (np.clip(edge.astype(np.float64), low, high) for edge in edges(held.bins.codes[mine]))
        share = ((starts + stops) / 2 - low) / ((high - low) or 1.0)
        at = np.clip((share * bins).astype(np.int64), 0, bins - 1)
        return Histogram(low, high, np.bincount(at, held.bins.counts[mine], bins).astype(np.int64))

    def _grid(self, layer: str) -> Grid:
        if layer not in self.grids:
            raise unknown("layer", layer, self.grids)
        return self.grids[layer]

    def _layer(self, layer: str, unit: int = 0) -> _Layer:
        units = self._grid(layer).units
        if not 0 <= unit < units:
            raise UsageError(f"unit {unit} does not exist; layer {layer!r} has the units 0 to {units - 1}")
        if layer not in self._held:
            self._held[layer] = self._merged(layer)
        return self._held[layer]

    def _merged(self, layer: str) -> _Layer:
        """Read one layer of every shard, and keep of each only what may still count."""
        numbers = {picture.name: number for number, picture in enumerate(self.pictures)}
        settings = self.manifest["settings"]
        growing: _Layer | None = None
        for shard in self._shards:
            if len(shard.pictures):
                place = [values["name"] for values in self.manifest["layers"]].index(layer)
                ranks = np.array([numbers.get(name, -1) for name in shard.names])
                part = _ranked(read_summary(shard.path, place), shard, ranks, list(self.classes))
                growing = part if growing is None else _joined(growing, part, settings["top"])
        assert growing is not None
        return growing._replace(sample=_sorted(growing.sample, self.pictures, settings))

    def _examples(
        self, layer: str, unit: int, found: Extremes, quantiles: Sequence[float] | None = None
    ) -> tuple[Example, ...]:
        grid, rows = self.grids[layer], zip(*(part[:, unit].tolist() for part in found), strict=True)
        examples = []
        for place, (value, number, cell) in enumerate(rows):
            peak = divmod(cell, grid.shape[1])
            name, predicted = self.pictures[number]
            examples.append(
                Example(name, value, peak, grid.box(*peak), predicted, quantiles[place] if quantiles else None)
            )
        return tuple(examples)


def load(folder: str | os.PathLike[str]) -> Index:
    """Open an index that `build` has finished.

    Raises:
        InputError: there is none, it is not finished, broken, or without a single picture.
    """
    path = manifest_path(Path(folder))
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        count, size = manifest["pictures"]["count"], manifest["settings"]["shard_size"]
        known = manifest["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(f"{folder}: holds no index of examples; build one first")
    shards = [read_header(shard_path(Path(folder), number)) for number in range(-(-count // size))]
    whole = tuple(shard for shard in shards if shard is not None)
    if len(whole) < len(shards):
        raise InputError(f"{folder}: the index has {len(whole)} of {len(shards)} shards; build it again to go on")
    return _checked(Index(manifest, whole), str(folder))


def merge(indices: Iterable[Index]) -> Index:
    """Join indices of different pictures, made by the same model with the same settings.

    The result is that of one run over all pictures; only means and selectivities may differ, in the last bits.

    Raises:
        UsageError: they do not fit together, or hold a picture twice.
    """
    parts = list(indices)
    if not parts:
        raise UsageError("no indices to merge; give at least one")
    for name in ("format", "model", "preprocessing", "layers", "settings"):
        if any(_kept(part.manifest[name]) != _kept(parts[0].manifest[name]) for part in parts):
            raise UsageError(f"the indices differ in their {name}; merge only those that were built alike")
    shards = tuple(shard for part in parts for shard in part._shards)
    names = sorted(name for shard in shards for name in shard.names)
    twice = next((one for one, other in pairwise(names) if one == other), None)
    if twice is not None:
        raise UsageError(f"{twice!r} is in two of the indices; merge indices of different pictures")
    return Index({**parts[0].manifest, "pictures": {"count": len(names)}}, shards)


def _kept(value: Any) -> Any:
    """How many pictures a file holds, or a pass takes, does not matter."""
    return (
        {k: v for k, v in value.items() if k not in ("batch_size", "shard_size")} if isinstance(value, dict) else value
    )


def _checked(index: Index, folder: str) -> Index:
    if not index.pictures:
        file, reason = index.skipped[0]
        raise InputError(f"{folder}: none of the {len(index.skipped)} files is a picture; {file}: {reason}")
    return index


def _ranked(part: Summary, shard: Header, ranks: Ints, classes: list[int]) -> _Layer:
    """Number a shard's pictures by rank, and give every class of the index a row."""
    top, bottom = (end._replace(pictures=ranks[end.pictures]) for end in (part.top, part.bottom))
    pictures = np.broadcast_to(ranks[shard.sample][:, None], part.sample_values.shape)
    sums = np.zeros((len(classes), len(part.total)))
    sums[np.searchsorted(classes, shard.classes)] = part.class_sums
    sample = Extremes(part.sample_values, pictures, part.sample_places)
    return _Layer(top, bottom, sample, part.total, part.active, part.bins, sums)


def _joined(one: _Layer, other: _Layer, count: int) -> _Layer:
    """Add two parts up; samples are only put together."""
    return _Layer(
        select(_both(one.top, other.top), count, largest=True),
        select(_both(one.bottom, other.bottom), count, largest=False),
        _both(one.sample, other.sample),
        one.total + other.total,
        one.active + other.active,
        _added(one.bins, other.bins),
        one.class_sums + other.class_sums,
    )


def _both(one: Extremes, other: Extremes) -> Extremes:
    return Extremes(*(np.concatenate(parts) for parts in zip(one, other, strict=True)))


def _added(one: Bins, other: Bins) -> Bins:
    units, codes, counts = (np.concatenate(parts) for parts in zip(one, other, strict=True))
    slots, at = np.unique(units.astype(np.uint64) << np.uint64(16) | codes, return_inverse=True)
    sums = np.bincount(at, counts, len(slots)).astype(np.int64)
    return Bins((slots >> np.uint64(16)).astype(np.uint32), (slots & np.uint64(0xFFFF)).astype(np.uint16), sums)


def _sorted(sample: Extremes, pictures: Sequence[Picture], settings: dict[str, Any]) -> Extremes:
    """Keep the pictures with the smallest keys of all, and sort their peaks unit by unit."""
    rows = sample.pictures[:, 0]
    keys = keys_of([pictures[number].name for number in rows], settings["seed"])
    kept = np.argsort(keys, kind="stable")[: settings["sample"]]
    return select(Extremes(*(part[kept] for part in sample)), len(kept), largest=False)


def _selectivity(sums: npt.NDArray[np.float64], counts: Ints) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Find each unit's class, as a row or -1, and how far it stands out."""
    units = sums.shape[1]
    if len(counts) < 2:
        return np.full(units, -1), np.zeros(units)
    means = sums / counts[:, None]
    best = means.argmax(axis=0)
    high = means.max(axis=0)
    rest = (means.sum(axis=0) - high) / (len(counts) - 1)
    total = high + rest
    return np.where(total > 0, best, -1), np.divide(high - rest, total, out=np.zeros(units), where=total > 0)

"""Comparisons: two targets at one layer, and the units and answers of two models over the same pictures."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import LayerAttribution, attribute
from agnostic.blocks.maps import Array32, Held, as_sample, held, stacked
from agnostic.blocks.slopes import How
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import InputError, UsageError, missing_extra
from agnostic.inputs.sample import Sample
from agnostic.kernels.resize import bilinear

DEFAULT_BATCH = 16


@dataclass(frozen=True, eq=False)
class TwoTargets:
    """What the units of a layer add to each of two targets.

    Attributes:
        a, b: the attributions of both.
        order: (C,) the units, from what speaks most for a rather than b to what speaks most for b rather than a.
    """

    a: LayerAttribution
    b: LayerAttribution
    order: npt.NDArray[np.intp]

    @property
    def difference(self) -> Floats:
        """What each unit adds to a rather than b: (C,)."""
        return self.a.channels - self.b.channels

    def strip(self, count: int = 7) -> npt.NDArray[np.intp]:
        """The units at both ends of the order, in that order; the larger half speaks for a."""
        if count >= len(self.order):
            return self.order
        last = count // 2
        return np.concatenate([self.order[: count - last], self.order[len(self.order) - last :]])


@dataclass(frozen=True, eq=False)
class MatchedUnits:
    """Which units of two layers do the same, by their correlation over positions of the same pictures.

    Attributes:
        layer_a, layer_b: the layers.
        correlation: (A, B) float64; 0 where a unit never changes.
        pairs: (min(A, B), 2) units of a and b, one to one, chosen for the largest sum of correlations; the most alike
            first.
        push: (A, B) float64, the linear map that predicts b's units, less their means, from a's.
        positions: over how many positions.
    """

    layer_a: str
    layer_b: str
    correlation: Floats
    pairs: npt.NDArray[np.intp]
    push: Floats
    positions: int

    @property
    def strengths(self) -> Floats:
        """The correlation of each pair."""
        strengths: Floats = self.correlation[self.pairs[:, 0], self.pairs[:, 1]]
        return strengths


class Agreement(NamedTuple):
    """How far two models give the same answers.

    Attributes:
        agreement: the share of pictures with the same first class.
        largest: the largest difference of two class scores.
        mean: their mean difference.
        pictures: how many pictures.
    """

    agreement: float
    largest: float
    mean: float
    pictures: int


def two_targets(
    model: Model,
    sample: Sample,
    layer: str,
    a: Target | str | int,
    b: Target | str | int,
    *,
    how: How = "path",
) -> TwoTargets:
    """Compare what a layer's units add to two targets.

    Raises:
        UsageError: a name does not fit, or both are the same target.
        ModelError: there is no gradient.
    """
    aims = [model.target(a), model.target(b)]
    if aims[0].key == aims[1].key:
        raise UsageError(f"both targets are {aims[0].name!r}; give two different ones")
    first, second = attribute(model, sample, layer, aims, how=how)
    return TwoTargets(first, second, np.argsort(second.channels - first.channels, kind="stable"))


def matched_units(
    model_a: Model,
    model_b: Model,
    pictures: Iterable[Any],
    layers: Sequence[tuple[str, str]],
    *,
    batch_size: int = DEFAULT_BATCH,
) -> tuple[MatchedUnits, ...]:
    """Match the units of two models by what they do over the same pictures.

    The covariance is streamed: memory does not depend on the number of pictures. Maps of different sizes are compared
    at the smaller one's positions.

    Args:
        model_a: one model; each picture is prepared for either as it declares.
        model_b: the other.
        pictures: paths, PIL images, or arrays that both models eat.
        layers: pairs of a layer of a and one of b.
        batch_size: pictures per pass.

    Raises:
        UsageError: a layer is unknown, or scikit-learn is not installed.
        InputError: there are fewer than two positions in all, or a picture cannot be read.
    """
    if not layers:
        raise UsageError("no pair of layers was given; expected [(layer of a, layer of b), ...]")
    streams = [_Covariance() for _ in layers]
    for batch in _batches(pictures, batch_size):
        maps_a = _activations(model_a, batch, [first for first, _ in layers])
        maps_b = _activations(model_b, batch, [second for _, second in layers])
        for stream, one, other in zip(streams, maps_a, maps_b, strict=True):
            stream.add(*_aligned(one, other))
    return tuple(_matched(stream, *pair) for stream, pair in zip(streams, layers, strict=True))


def agreement(model_a: Model, model_b: Model, pictures: Iterable[Any], *, batch_size: int = DEFAULT_BATCH) -> Agreement:
    """Compare the class scores of two models, picture by picture: two checkpoints, or a model and its quantised form.

    Raises:
        InputError: there is no picture, or the models have different numbers of classes.
    """
    same, rows, largest, total = 0, 0, 0.0, 0.0
    for batch in _batches(pictures, batch_size):
        one, other = _scores(model_a, batch), _scores(model_b, batch)
        if one.shape != other.shape:
            raise InputError(f"the models have {one.shape[1]} and {other.shape[1]} classes; compare models of the same")
        apart = abs(one - other)
        same += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
        rows, largest, total = (
            rows + len(one),
            max(largest, float(apart.max())),
            total + float(apart.mean(axis=1).sum()),
        )
    if not rows:
        raise InputError("no picture was given; expected one or more")
    return Agreement(same / rows, largest, total / rows, rows)


class _Covariance:
    """The means and products of two sets of units, updated batch by batch without loss of precision."""

    def __init__(self) -> None:
        self.count = 0
        self.split = 0
        self.mean: Floats = np.zeros(0)
        self.products: Floats = np.zeros((0, 0))

    def add(self, one: Array32, other: Array32) -> None:
        """Take in rows (m, A) and (m, B)."""
        rows = np.hstack([one, other]).astype(np.float64)
        mean = rows.mean(axis=0)
        centred = rows - mean
        if not self.count:
            self.split, self.mean, self.products = one.shape[1], mean, centred.T @ centred
            self.count = len(rows)
            return
        moved, total = mean - self.mean, self.count + len(rows)
        self.products += centred.T @ centred + np.outer(moved, moved) * (self.count * len(rows) / total)
        self.mean = self.mean + moved * (len(rows) / total)
        self.count = total


def _matched(stream: _Covariance, layer_a: str, layer_b: str) -> MatchedUnits:
    if stream.count < 2:
        raise InputError("there are fewer than two positions in all; give more pictures")
    split, products = stream.split, stream.products
    lengths = np.sqrt(np.diag(products))
    cross, scale = products[:split, split:], np.outer(lengths[:split], lengths[split:])
    correlation = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)
    # Units that never change have no inverse, and units that say the same have none that is exact.
    push = np.linalg.pinv(products[:split, :split], rcond=1e-8, hermitian=True) @ cross
    return MatchedUnits(layer_a, layer_b, correlation, _one_to_one(correlation), push, stream.count)


def _one_to_one(correlation: Floats) -> npt.NDArray[np.intp]:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise missing_extra("scikit-learn", "microscope", "matching units") from error
    rows, columns = linear_sum_assignment(-correlation)
    order = np.argsort(-correlation[rows, columns], kind="stable")
    return np.stack([rows[order], columns[order]], axis=1)


def _batches(pictures: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(pictures)
    while batch := list(islice(source, max(1, size))):
        if (deadline := current()) is not None:
            deadline.check()
        yield batch


def _activations(model: Model, batch: Sequence[Any], names: Sequence[str]) -> list[Array32]:
    """What layers hold on pictures: (n, C, h, w) each."""
    samples = [as_sample(model, item) for item in batch]
    fetched = model.run(stacked(model, samples), list(dict.fromkeys(names)))
    holders: dict[str, Held] = {name: held(model, samples[0], name) for name in dict.fromkeys(names)}
    return [holders[name].to_maps(fetched[name]) for name in names]


def _aligned(one: Array32, other: Array32) -> tuple[Array32, Array32]:
    """Bring maps (n, A, h, w) and (n, B, h', w') to the smaller size: rows of units, (m, A) and (m, B)."""
    shape = min(one.shape[2:], other.shape[2:], key=np.prod)
    rows = [np.moveaxis(_resized(maps, shape), 1, -1).reshape(-1, maps.shape[1]) for maps in (one, other)]
    return rows[0], rows[1]


def _resized(maps: Array32, shape: tuple[int, ...]) -> Array32:
    if maps.shape[2:] == shape:
        return maps
    flat = np.ascontiguousarray(maps.reshape(-1, *maps.shape[2:]))
    return bilinear(flat, (shape[0], shape[1])).reshape(*maps.shape[:2], *shape)


def _scores(model: Model, batch: Sequence[Any]) -> Floats:
    """The class scores of pictures: (n, classes)."""
    samples = [as_sample(model, item) for item in batch]
    scores = model.run(stacked(model, samples), [model.scores_tensor])[model.scores_tensor]
    moved = np.moveaxis(scores.astype(np.float64), model.names.class_axis + 1, 1)
    means: Floats = moved.reshape(*moved.shape[:2], -1).mean(axis=2)
    return means

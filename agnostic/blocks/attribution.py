"""What a layer's entries add to a score, or to another layer: activation times gradient, linear or along a path.

The linear rule takes the gradient where the model is; the path rule its mean on the way from a layer of zeros, so that
the values add up to the rise of the score (Sundararajan, Taly & Yan 2017). The linear rule may be wrong even in the
sign of its sum, in early layers above all, so the path is the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agnostic.blocks.maps import Array32, Held, held
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Projection, Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample
from agnostic.methods._adaptive import integrate_adaptively
from agnostic.methods._gradients import at_sample
from agnostic.methods._integrate import nodes
from agnostic.methods.registry import Task

How = Literal["path", "linear"]
DEFAULT_BATCH = 16


@dataclass(frozen=True, eq=False)
class LayerAttribution:
    """What each entry of a layer adds to a score.

    Attributes:
        layer: its name.
        target: what was explained.
        values: (C, h, w) float32, one number for every neuron.
        score: the target on the sample.
        base: the target with the layer at zero.
        how: path or linear.
        evaluations: gradients taken.
    """

    layer: str
    target: str
    values: Array32
    score: float
    base: float
    how: How
    evaluations: int

    @property
    def channels(self) -> Floats:
        """What each unit adds: (C,)."""
        sums: Floats = self.values.sum(axis=(1, 2), dtype=np.float64)
        return sums

    @property
    def spatial(self) -> Floats:
        """What each position adds: (h, w)."""
        sums: Floats = self.values.sum(axis=0, dtype=np.float64)
        return sums

    @property
    def completeness(self) -> float:
        """The sum of the values over the rise of the score, 1 where they add up; NaN where the score does not rise."""
        rise = self.score - self.base
        return float(self.values.sum(dtype=np.float64) / rise) if rise else float("nan")


def attribute(
    model: Model,
    sample: Sample,
    layer: str,
    targets: Sequence[Target | str | int],
    *,
    how: How = "path",
    steps: int = 16,
    tolerance: float = 1e-3,
    most: int = 400,
) -> tuple[LayerAttribution, ...]:
    """Attribute targets to a layer, all in the same passes.

    Args:
        model: the model.
        sample: the input.
        layer: the layer.
        targets: classes, units, differences of them.
        how: path (from a layer of zeros) or linear.
        steps: points of the path to begin with; more are put where the integral is wrong.
        tolerance: at which the path ends, as a share of the rise.
        most: points in all.

    Raises:
        UsageError: there is no such layer or target.
        ModelError: there is no gradient between them.
    """
    found = held(model, sample, layer)
    task = Task(model, sample, tuple(model.target(item) for item in targets), at=layer)
    bases = _bases(model, sample, found, task.targets)
    if how == "linear":
        values: Floats = at_sample(task, "logit").astype(np.float64) * found.stored.astype(np.float64)
        count = 1
    else:
        start = np.zeros_like(task.origin)
        integral = integrate_adaptively(task, [start], steps, tolerance, most)
        values, count, bases = integral.found, integral.points, integral.base_values
    maps = found.to_maps(values.astype(np.float32))
    return tuple(
        LayerAttribution(layer, target.name, maps[row], float(task.scores[row]), float(bases[row]), how, count)
        for row, target in enumerate(task.targets)
    )


def _bases(model: Model, sample: Sample, found: Held, targets: Sequence[Target]) -> Floats:
    """The targets with the layer at zero: (targets,)."""
    tensors = tuple(dict.fromkeys(name for target in targets for name in target.tensors))
    blank = np.zeros_like(found.stored)
    fetched = model.run_from(found.layer.name, blank, sample.arrays, tensors)
    return np.array([target.read(fetched)[0] for target in targets])


def channel_directions(shape: tuple[int, int, int], units: Sequence[int]) -> Array32:
    """Make the directions of whole units of a layer (C, h, w): (m, C, h, w), each the sum over its positions."""
    directions = np.zeros((len(units), *shape), np.float32)
    directions[np.arange(len(units)), list(units)] = 1
    return directions


def position_directions(maps: Array32) -> Array32:
    """Make the directions of positions: (h * w, C, h, w), each what the layer (C, h, w) holds there, of length one.

    Along it, a position's activation vector has its own length: the directions stand for the norms at the positions.
    """
    channels, height, width = maps.shape
    lengths = np.linalg.norm(maps, axis=0)
    unit = np.divide(maps, lengths, out=np.zeros_like(maps), where=lengths > 0)
    directions = np.zeros((height * width, channels, height * width), np.float32)
    places = np.arange(height * width)
    directions[places, :, places] = unit.reshape(channels, -1).T
    return directions.reshape(-1, channels, height, width)


def between(
    model: Model,
    sample: Sample,
    source: str,
    destination: str,
    directions: Array32,
    *,
    how: How = "path",
    steps: int = 8,
    batch_size: int = DEFAULT_BATCH,
) -> Array32:
    """Attribute directions of a later layer to an earlier one: (m, C1, h1, w1).

    Number i of the result tells what each neuron of `source` adds to the inner product of `destination` with
    directions[i].

    Args:
        model: the model.
        sample: the input.
        source: the earlier layer.
        destination: the later one.
        directions: (m, C2, h2, w2), or (m, C2) for the sum over all positions.
        how: path (from a layer of zeros, `steps` points by Gauss-Legendre) or linear.
        steps: points of the path.
        batch_size: rows per pass.

    Raises:
        UsageError: a layer is unknown, or the directions do not fit.
        ModelError: the later layer does not depend on the earlier one.
    """
    early, late = held(model, sample, source), held(model, sample, destination)
    fitted = _fitted(directions, late)
    places, weights = nodes(steps, "gauss-legendre") if how == "path" else (np.ones(1), np.ones(1))
    total = np.zeros((len(fitted), *early.stored.shape[1:]), np.float64)
    for start in range(0, len(fitted), max(1, batch_size)):
        if (deadline := current()) is not None:
            deadline.check()
        rows = slice(start, min(start + max(1, batch_size), len(fitted)))
        aims = late.to_stored(fitted[rows])
        for place, weight in zip(places, weights, strict=True):
            total[rows] += weight * _slopes(model, sample, early, destination, aims, place)
    return early.to_maps((total * early.stored).astype(np.float32))


def _fitted(directions: Array32, late: Held) -> Array32:
    shape = late.maps.shape
    if directions.ndim == 2 and directions.shape[1] == shape[0]:
        return np.broadcast_to(directions[:, :, None, None], (len(directions), *shape)).astype(np.float32)
    if directions.ndim == 4 and directions.shape[1:] == shape:
        return directions.astype(np.float32)
    raise UsageError(
        f"directions of shape {list(directions.shape)} do not fit {late.layer.name!r}: expected [m, {shape[0]}] or "
        f"[m, {', '.join(map(str, shape))}]"
    )


def _slopes(model: Model, sample: Sample, early: Held, destination: str, aims: Array32, place: float) -> Array32:
    """The gradients of the later layer's inner products with `aims` (m, ...), at a place on the way from zero."""
    rows = len(aims)
    target = Target((Projection(destination, aims, destination),), destination)
    feeds = {
        name: np.repeat(value, rows, axis=0) if name in model.batched_inputs else value
        for name, value in sample.arrays.items()
    }
    points = np.repeat(early.stored.astype(np.float32) * np.float32(place), rows, axis=0)
    name = early.layer.name
    model.count_rows(rows)
    slopes: Array32 = model.autograd.gradients(feeds, [target], [name], values={name: points}).gradients[name][0]
    return slopes

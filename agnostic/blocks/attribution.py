"""What a layer's entries add to a score, or to another layer: activation times gradient, linear or along a path.

The linear rule takes the gradient where the model is; the path rule its mean on the way from a layer of zeros, so that
the values add up to the rise of the score (Sundararajan, Taly & Yan 2017). The linear rule may be wrong even in the
sign of its sum, in early layers above all, so the path is the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agnostic.blocks.maps import Array32, Held, held
from agnostic.blocks.slopes import DEFAULT_BATCH, How, projections, slopes
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample
from agnostic.methods._adaptive import integrate_adaptively
from agnostic.methods._gradients import at_sample
from agnostic.methods.registry import Task


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
        elsewhere: what the tokens that are no places add.
    """

    layer: str
    target: str
    values: Array32
    score: float
    base: float
    how: How
    evaluations: int
    elsewhere: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that are no map."""
        if self.values.ndim != 3:
            raise UsageError(f"values of shape {list(self.values.shape)}: expected [C, h, w]")

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
        return self.total / rise if rise else float("nan")

    @property
    def total(self) -> float:
        """What the layer adds in all."""
        return float(self.values.sum(dtype=np.float64)) + self.elsewhere


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
    missing = values.reshape(len(values), -1).sum(axis=1) - maps.reshape(len(maps), -1).sum(axis=1, dtype=np.float64)
    elsewhere = missing if found.has_more else np.zeros(len(values))
    return tuple(
        LayerAttribution(
            layer, target.name, maps[i], float(task.scores[i]), float(bases[i]), how, count, float(elsewhere[i])
        )
        for i, target in enumerate(task.targets)
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


def position_directions(maps: Array32, cells: Sequence[int] | None = None) -> Array32:
    """Make the directions of positions: (m, C, h, w), each what the layer (C, h, w) holds there, of length one.

    Along it, a position's activation vector has its own length: the directions stand for the norms at the positions.

    Args:
        maps: the layer.
        cells: the positions, counted row by row; all of them by default, which for a large map takes much memory.
    """
    channels, height, width = maps.shape
    places = np.arange(height * width) if cells is None else np.asarray(cells, np.intp)
    lengths = np.linalg.norm(maps, axis=0)
    unit = np.divide(maps, lengths, out=np.zeros_like(maps), where=lengths > 0).reshape(channels, -1)
    directions = np.zeros((len(places), channels, height * width), np.float32)
    directions[np.arange(len(places)), :, places] = unit[:, places].T
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
    directions[i]. All directions share the forward passes; one of zeros costs none.

    Args:
        model: the model.
        sample: the input.
        source: the earlier layer.
        destination: the later one.
        directions: (m, C2, h2, w2), or (m, C2) for the sum over all positions.
        how: path (from a layer of zeros, `steps` points by Gauss-Legendre) or linear.
        steps: points of the path.
        batch_size: points per pass.

    Raises:
        UsageError: a layer is unknown, or the directions do not fit.
        ModelError: the later layer does not depend on the earlier one.
    """
    early, late = held(model, sample, source), held(model, sample, destination)
    fitted = fitted_directions(directions, late)
    used = fitted.reshape(len(fitted), -1).any(axis=1)
    targets = projections(late, fitted if used.all() else fitted[used])
    found = slopes(model, sample, early, targets, how=how, steps=steps, batch_size=batch_size)
    found *= early.stored.astype(np.float32)
    if used.all():
        return early.to_maps(found)
    result = np.zeros((len(fitted), *early.maps.shape), np.float32)
    result[used] = early.to_maps(found)
    return result


def fitted_directions(directions: Array32, late: Held) -> Array32:
    """Bring directions to (m, C, h, w).

    Raises:
        UsageError: they are neither (m, C) nor (m, C, h, w) of that layer.
    """
    shape = late.maps.shape
    if directions.ndim == 2 and directions.shape[1] == shape[0]:
        return np.broadcast_to(directions[:, :, None, None], (len(directions), *shape)).astype(np.float32)
    if directions.ndim == 4 and directions.shape[1:] == shape:
        return np.asarray(directions, np.float32)
    raise UsageError(
        f"directions of shape {list(directions.shape)} do not fit {late.layer.name!r}: expected [m, {shape[0]}] or "
        f"[m, {', '.join(map(str, shape))}]"
    )

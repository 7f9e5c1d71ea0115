"""The slopes of scores and directions by an earlier layer: where the model is, or their mean on the way from zero."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from agnostic.blocks.maps import Array32, Held
from agnostic.engine.gradients import Points, certified, gradient_sweep
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Projection, Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample
from agnostic.methods._integrate import nodes

How = Literal["path", "linear"]
DEFAULT_BATCH = 16
# Bytes of gradients that one pass may give back.
_HELD = 2**27


def projections(late: Held, directions: Array32) -> tuple[Target, ...]:
    """Make a target of each direction (m, C, h, w) of a layer: its inner product with what the layer holds."""
    name = late.layer.name
    return tuple(
        Target((Projection(name, numbers[None], f"{name} along direction {i}"),), f"{name} along direction {i}")
        for i, numbers in enumerate(late.to_stored(directions))
    )


def slopes(
    model: Model,
    sample: Sample,
    early: Held,
    targets: Sequence[Target],
    *,
    how: How = "path",
    steps: int = 8,
    batch_size: int = DEFAULT_BATCH,
) -> Array32:
    """Differentiate targets by a layer: (targets, ...) float32 in the layer's own axis order.

    One forward pass of the points serves as many targets as there is memory for.

    Args:
        model: the model.
        sample: the input.
        early: the layer, and what it holds.
        targets: what is differentiated.
        how: linear takes the gradient where the model is, path its mean over `steps` points from a layer of zeros.
        steps: points of the path, by Gauss-Legendre.
        batch_size: points per pass.

    Raises:
        UsageError: there is no such way, or no point.
        ModelError: a target does not depend on the layer.
    """
    places, weights = _rule(how, steps)
    origin = early.stored[0].astype(np.float32)

    def write(start: int, stop: int, out: Array32) -> None:
        out[:] = origin * places[start:stop].astype(np.float32).reshape(-1, *[1] * origin.ndim)

    points = Points(early.layer.name, len(places), origin.shape, write)
    total = np.zeros((len(targets), origin.size), np.float32)
    for rows, gradients, numbers in _sweeps(model, sample, points, targets, batch_size):
        share = weights[numbers.start : numbers.stop].astype(np.float32)
        total[rows] += (share[None, None] @ gradients.reshape(*gradients.shape[:2], -1))[:, 0]
    return total.reshape(len(targets), *origin.shape)


def _sweeps(
    model: Model, sample: Sample, points: Points, targets: Sequence[Target], batch_size: int
) -> Iterator[tuple[slice, npt.NDArray[np.float32], range]]:
    """Differentiate as many targets at once as there is room for: which ones, (some, n, ...), at which points."""
    if targets:
        certified(model, sample.arrays, targets[:1])
    at_once = max(1, _HELD // (4 * min(batch_size, points.count) * int(np.prod(points.shape))))
    for start in range(0, len(targets), at_once):
        rows = slice(start, start + at_once)
        name = points.tensor
        for block in gradient_sweep(model, sample.arrays, points, targets[rows], (name,), batch_size=batch_size):
            yield rows, block.found.gradients[name], range(block.start, block.stop)


def _rule(how: How, steps: int) -> tuple[Floats, Floats]:
    if how not in ("path", "linear"):
        raise UsageError(f"how={how!r}: expected 'path' or 'linear'")
    if steps < 1:
        raise UsageError(f"steps={steps}: expected 1 or more points")
    return nodes(steps, "gauss-legendre") if how == "path" else (np.ones(1), np.ones(1))

"""What gradient CAMs share: a layer's maps and the gradients by them, for all targets in one pass, and the painting.

A gradient CAM folds channels into one small map per target:
``maps (C, h, w), gradients (targets, C, h, w) -> (targets, h, w)``.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.converters.layers import Layer
from agnostic.engine.autograd import GradientOf
from agnostic.engine.gradients import GradientBlock, Points, gradient_sweep
from agnostic.engine.target import Floats
from agnostic.errors import ItemError
from agnostic.methods._maps import (
    Array32,
    as_maps,
    check_upstream,
    check_varies,
    chosen_layer,
    grid_of,
    paint,
)
from agnostic.methods.registry import Attribution, Task

if TYPE_CHECKING:
    from agnostic.engine.backward import RuleName

Write = Callable[[int, int, Array32], None]


class LayerGradients(NamedTuple):
    """A layer's maps at some points, and how the targets change with them.

    Attributes:
        layer: the layer.
        maps: (n, C, h, w) float64.
        gradients: (targets, n, C, h, w) float64.
    """

    layer: Layer
    maps: Floats
    gradients: Floats


def at_layer(task: Task, of: GradientOf = "logit") -> LayerGradients:
    """Read the chosen layer's maps and gradients at the sample itself, n = 1, in one pass for all targets.

    Raises:
        UsageError: there is no layer with places, or a target does not depend on it.
        ItemError: it is the same at every place, or no place moves a target.
    """
    (found,) = layer_sweep(task, 1, _itself(task), of)
    check_varies(found.layer, found.maps[0])
    for target, gradients in zip(task.targets, found.gradients, strict=True):
        if not gradients.any():
            raise ItemError(
                f"no place of layer {found.layer.name!r} moves {target.name!r} on this input: its gradient is zero "
                "there; name an earlier layer with --at"
            )
    return found


def layer_sweep(task: Task, count: int, write: Write, of: GradientOf = "logit") -> Iterator[LayerGradients]:
    """Read the chosen layer's maps and gradients at points of the input, batch by batch.

    Args:
        task: the question.
        count: how many points.
        write: `write(start, stop, out)` writes inputs start..stop into `out`.
        of: logit, probability or loss of the target.
    """
    layer = chosen_layer(task)
    check_upstream(task, layer)
    grid = None
    for block in _sweep(task, count, write, layer.name, of):
        stored, gradients = block.found.values[layer.name], block.found.gradients[layer.name]
        grid = grid or grid_of(task, layer, stored.shape, block.stop - block.start)
        maps = as_maps(stored, layer, grid).astype(np.float64)
        rows = as_maps(gradients.reshape(-1, *stored.shape[1:]), layer, grid).astype(np.float64)
        yield LayerGradients(layer, maps, rows.reshape(len(gradients), *maps.shape))


def at_input(task: Task, of: GradientOf, rule: "RuleName") -> Array32:
    """Differentiate the targets by the sample's own input, whatever the layer: (targets, *input axes)."""
    source = task.sample.source
    (block,) = _sweep(task, 1, _itself(task), source, of, rule)
    return block.found.gradients[source][:, 0]


def _itself(task: Task) -> Write:
    x = task.sample.arrays[task.sample.source][0]

    def write(_start: int, _stop: int, out: Array32) -> None:
        out[:] = x

    return write


def _sweep(
    task: Task, count: int, write: Write, at: str, of: GradientOf, rule: "RuleName" = "plain"
) -> Iterator[GradientBlock]:
    """Differentiate by one tensor at points of the input, and no further back than to it."""
    _ = task.parity
    source = task.sample.source
    points = Points(source, count, task.sample.arrays[source].shape[1:], write)
    return gradient_sweep(
        task.model, task.sample.arrays, points, task.targets, (at,), of=of, rule=rule, batch_size=task.batch_size,
        progress=task.progress,
    )  # fmt: skip


def fold(weights: Floats, maps: Floats) -> Floats:
    """Sum channels by weight: (targets, C) and (C, h, w) to (targets, h, w)."""
    folded: Floats = np.tensordot(weights, maps, axes=1)
    return folded


def mean_weights(found: LayerGradients) -> Floats:
    """Average the gradient at the sample over the places, as Grad-CAM does: (targets, C)."""
    weights: Floats = found.gradients[:, 0].mean(axis=(2, 3))
    return weights


def second_order_weights(first: Floats, second: Floats, third: Floats, maps: Floats) -> Floats:
    """Weigh channels as Grad-CAM++ does, by first derivatives and by second and third ones up to a common factor.

    With a = second / (2 second + sum(maps) third), a channel weighs the sum of a * max(first, 0) over its places. Maps
    behind a ReLU make the sum positive, and 0 <= a <= 1/2. Where maps hold negative values, as behind a LayerNorm, the
    denominator could vanish; there its second term is held at 0 or above, which keeps a in that range.

    Args:
        first: (targets, C, h, w); second and third are shaped alike.
        second: second derivatives.
        third: third derivatives.
        maps: (C, h, w).

    Returns:
        (targets, C).
    """
    below = 2 * second + np.maximum(maps.sum(axis=(1, 2))[:, None, None] * third, 0)
    shares = np.divide(second, below, out=np.zeros_like(second), where=below > 0)
    weights: Floats = (shares * np.maximum(first, 0)).sum(axis=(2, 3))
    return weights


def painted(task: Task, layer: Layer, small: npt.NDArray[Any], *, signed: bool = False, **facts: Any) -> Attribution:
    """Paint small maps (targets, h, w) over the input: their positive part, or as they are."""
    shown = small if signed else np.maximum(small, 0)
    values = paint(shown, task.sample.features.shape)
    return Attribution(values, np.full(len(values), np.nan), facts=[{"layer": layer.name, **facts}] * len(values))

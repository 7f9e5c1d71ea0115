"""What gradient methods share: the gradient at the sample, and folding a tensor-shaped attribution into a map."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from agnostic.engine.autograd import GradientOf
from agnostic.engine.model import Model
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods._maps import as_maps, grid_of, paint
from agnostic.methods.registry import Attribution, Task, check_positive

Array32 = npt.NDArray[np.float32]


def at_sample(task: Task, of: GradientOf, rule: Any = "plain") -> Array32:
    """Differentiate the targets at the sample itself: (targets, *source axes)."""

    def write(_start: int, _stop: int, out: Array32) -> None:
        out[:] = task.origin

    (block,) = task.gradient_sweep(1, write, of=of, rule=rule)
    return block.found.gradients[task.source][:, 0]


def attribution(
    task: Task,
    found: npt.NDArray[np.floating[Any]],
    *,
    channels: Literal["sum", "largest"] = "sum",
    base_values: Floats | None = None,
    facts: Sequence[Mapping[str, Any]] = (),
) -> Attribution:
    """Fold what each entry of the explained tensor got into a map over the sample's positions.

    Args:
        task: the task.
        found: (targets, *source axes), in the tensor's own axis order.
        channels: a position gets the sum over its channels, or the size of the largest of them.
        base_values: the score that the values start from.
        facts: one mapping per target.
    """
    found = found.astype(np.float32, copy=False)
    bases = np.full(len(found), np.nan) if base_values is None else base_values
    return Attribution(_placed(task, found, channels), bases, facts=facts or [{}] * len(found), detail=found)


def _placed(task: Task, found: Array32, channels: Literal["sum", "largest"]) -> Array32:
    """Bring (targets, *source axes) to the sample's positions, or where a layer has none in it, to the layer's own."""
    if task.at is None:
        return _over_channels(task.sample.numbers.view(found), channels)
    layer = task.model.layer(task.at)
    if layer.kind == "vector":
        return found
    if not task.sample.features.is_grid:
        return _over_channels(np.moveaxis(found, layer.channel_axis, 1), channels)
    grid = grid_of(task, layer, (1, *found.shape[1:]))
    return paint(_over_channels(as_maps(found, layer, grid), channels), task.sample.features.shape)


def _over_channels(found: npt.NDArray[Any], how: Literal["sum", "largest"]) -> Array32:
    folded: Array32 = found.sum(axis=1) if how == "sum" else np.abs(found).max(axis=1)
    return folded


def check_samples(samples: int, noise: float) -> None:
    """Refuse settings of noisy points that make no sense.

    Raises:
        UsageError: fewer than one sample, or a negative or infinite noise.
    """
    check_positive(samples=samples)
    if not 0 <= noise < np.inf:
        raise UsageError(f"--noise {noise:g}: expected 0 or a share of the input's range such as 0.1")


def noise_at(task: Task, number: int, scale: float) -> Array32:
    """Draw the noise of one numbered point, normal with standard deviation `scale`: (*source axes).

    Each point has a generator of its own, so that nothing depends on how points are batched.
    """
    random = np.random.default_rng([task.seed, number])
    return random.standard_normal(task.origin.shape, np.float32) * np.float32(scale)


def why_not_gated(model: Model) -> str | None:
    """Say why the ReLUs of a model cannot be treated apart; None when they can."""
    from agnostic.engine.backward import RULES

    if any(node.op_type in RULES["guided"] for node in model.proto.graph.node):
        return None
    return "it changes what ReLUs and their like hand back, and this model has none: it would equal the gradient"

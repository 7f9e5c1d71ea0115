"""Ablation-CAM: a layer's channels, weighted by how far the score falls without them."""

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import current
from agnostic.engine.model import checked
from agnostic.engine.sweep import DEFAULT_BATCH
from agnostic.engine.target import Floats
from agnostic.methods._maps import LayerMap, as_stored, check_upstream, no_map, read_map, weigh
from agnostic.methods.registry import Attribution, Task, method


@method(
    "ablationcam",
    needs=("forward", "activations"),
    summary="The channels of a layer, weighted by how far the score falls without them.",
    pictures_only=True,
    check=no_map,
)
def ablationcam(task: Task) -> Attribution:
    """Weigh the channels of a layer by the fall of the score without them (Ramaswamy and Desai, WACV 2020).

    The weight of a channel is (S - S_k) / |S|, where S_k is the score with the channel at 0; the map is the positive
    part of the weighted sum. Only the rest of the model, behind the layer, runs for each channel.
    """
    found = read_map(task)
    check_upstream(task, found.layer)
    falls = _falls(task, found)
    # |S| where the paper has S: the same for a class that is recognised, and no change of sign where the score is
    # negative, as scores before a softmax may be.
    scale = np.abs(task.scores)[:, None]
    weights = falls / np.where(scale > 0, scale, 1)
    values = np.maximum(weigh(weights, found.values, task.sample.features.shape), 0)
    facts = [{"layer": found.layer.name, "channels": len(found.values)}] * len(values)
    return Attribution(values, np.full(len(values), np.nan), facts=facts)


def _falls(task: Task, found: LayerMap) -> Floats:
    """How far the targets fall without each channel: (targets, channels)."""
    # Without a channel that is 0 anyway, everything stays as it is.
    live = np.flatnonzero(found.values.any(axis=(1, 2)))
    falls = np.zeros((len(task.targets), len(found.values)))
    size = task.batch_size or DEFAULT_BATCH
    for start in range(0, len(live), size):
        if (deadline := current()) is not None:
            deadline.check()
        channels = live[start : start + size]
        falls[:, channels] = (task.scores - _without(task, found, channels)).T
        if task.progress is not None:
            task.progress(min(start + size, len(live)), len(live))
    return falls


def _without(task: Task, found: LayerMap, channels: npt.NDArray[np.int64]) -> Floats:
    """Score the sample with one channel at 0 at a time: (channels, targets)."""
    rows = np.repeat(found.values[None], len(channels), axis=0)
    rows[np.arange(len(channels)), channels] = 0
    tensors = tuple(dict.fromkeys(name for target in task.targets for name in target.tensors))
    ran = task.model.run_from(found.layer.name, as_stored(rows, found), task.sample.arrays, tensors)
    return checked(np.stack([target.read(ran) for target in task.targets], axis=1), task.targets)

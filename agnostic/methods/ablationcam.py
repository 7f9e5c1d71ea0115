"""Ablation-CAM: a layer's channels, weighted by how far the score falls without them."""

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import current
from agnostic.engine.model import checked
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.engine.sweep import DEFAULT_BATCH
from agnostic.engine.target import Floats
from agnostic.methods._maps import LayerMap, as_stored, check_upstream, no_map, read_map, weigh
from agnostic.methods.registry import Attribution, Task, method


@method(
    "ablationcam",
    needs=("forward", "activations"),
    summary="The channels of a layer, weighted by how far the score falls without them.",
    needs_plane=True,
    check=no_map,
)
def ablationcam(task: Task) -> Attribution:
    """Weigh the channels of a layer by the fall of the score without them (Ramaswamy and Desai, WACV 2020).

    The weight of a channel is S - S_k, where S_k is the score with the channel at 0; the map is the positive part of
    the weighted sum. The paper divides by S. That scales the whole map, turns it over where S is negative, as scores
    before a softmax may be, and takes the maps of two targets apart. Only the rest of the model, behind the layer,
    runs for each channel.
    """
    found = read_map(task)
    check_upstream(task, found.layer)
    values = np.maximum(weigh(_falls(task, found), found.values, task.sample.features.shape), 0)
    facts = [{"layer": found.layer.name, "channels": len(found.values)}] * len(values)
    return Attribution(values, np.full(len(values), np.nan), facts=facts)


def _falls(task: Task, found: LayerMap) -> Floats:
    """How far the targets fall without each channel: (targets, channels)."""
    # Without a channel that is 0 anyway, everything stays as it is.
    live = np.flatnonzero(found.values.any(axis=(1, 2)))
    falls = np.zeros((len(task.targets), len(found.values)))
    size, start = task.batch_size or DEFAULT_BATCH, 0
    while start < len(live):
        if (deadline := current()) is not None:
            deadline.check()
        channels = live[start : start + size]
        try:
            falls[:, channels] = (task.scores - _without(task, found, channels)).T
        except OutOfMemoryError:
            if size == 1:
                raise
            size = (size + 1) // 2
            continue
        start += len(channels)
        if task.progress is not None:
            task.progress(start, len(live))
    return falls


def _without(task: Task, found: LayerMap, channels: npt.NDArray[np.int64]) -> Floats:
    """Score the sample with one channel at 0 at a time: (channels, targets)."""
    rows = np.repeat(found.values[None], len(channels), axis=0)
    rows[np.arange(len(channels)), channels] = 0
    tensors = tuple(dict.fromkeys(name for target in task.targets for name in target.tensors))
    ran = task.model.run_from(found.layer.name, as_stored(rows, found), task.sample.arrays, tensors)
    return checked(np.stack([target.read(ran) for target in task.targets], axis=1), task.targets)

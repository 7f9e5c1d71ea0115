"""Score-CAM: a layer's channels as masks, weighted by the scores they let through."""

from typing import Literal

import numpy as np

from agnostic.engine.sweep import Rows
from agnostic.engine.target import Floats
from agnostic.inputs.features import Array32
from agnostic.methods._maps import no_map, read_map, weigh
from agnostic.methods.registry import Attribution, Task, method

Variant = Literal["centred", "paper", "interpretdl"]


@method(
    "scorecam",
    needs=("forward", "activations"),
    summary="The channels of a layer, weighted by the scores they let through as masks.",
    needs_plane=True,
    check=no_map,
)
def scorecam(task: Task, *, variant: Variant = "centred") -> Attribution:
    """Weigh the channels of a layer by what they let through as masks (Wang et al., CVPR Workshops 2020).

    Each channel, enlarged and stretched to 0..1, masks the input. In the paper, the softmax over the channels of the
    increase of the score over the empty input gives their weights, and the positive part of the weighted sum is the
    map. These weights are all positive, so the map holds the mean channel, which is the same for every target; the
    centred variant takes it off, so that only channels that do better than the average count in favour.

    The score of the empty input is the same for all channels, so a softmax does without it, and a channel that is the
    same everywhere masks nothing and is left out: neither costs a pass.

    Args:
        task: the question.
        variant: centred, paper, or interpretdl, which weighs by the scores as they are and keeps the sign of the map.
    """
    found = read_map(task)
    varied = found.values[np.ptp(found.values, axis=(1, 2)) > 0]
    weights = _weights(_masked_scores(task, varied).T, variant)
    values = weigh(weights, varied, task.sample.features.shape)
    if variant != "interpretdl":
        values = np.maximum(values, 0)
    facts = [{"layer": found.layer.name, "channels": len(varied), "variant": variant}] * len(values)
    return Attribution(values, np.full(len(values), np.nan), facts=facts)


def _masked_scores(task: Task, maps: Array32) -> Floats:
    """Score the input behind each channel: (channels, targets)."""
    from agnostic.kernels.resize import upsample_normalise

    features = task.sample.features
    shape = (features.shape[0], features.shape[1])
    scores = np.empty((len(maps), len(task.targets)))

    def write(start: int, stop: int, rows: Rows) -> None:
        features.mix(upsample_normalise(maps[start:stop], shape), rows)

    for block in task.sweep(len(maps), write):
        scores[block.start : block.stop] = block.scores
    return scores


def _weights(scores: Floats, variant: Variant) -> Floats:
    """Turn scores (targets, channels) into weights."""
    if variant == "interpretdl" or not scores.size:
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares - 1 / scores.shape[1] if variant == "centred" else shares

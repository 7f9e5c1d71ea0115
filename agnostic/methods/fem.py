"""FEM: the places where a layer's channels are unusually strong, whatever the target."""

import numpy as np

from agnostic.methods._maps import Array32, no_map, paint, read_map
from agnostic.methods.registry import Attribution, Task, check_positive, method


@method(
    "fem",
    needs=("activations",),
    summary="The places where the channels of a layer are unusually strong, whatever the class; needs one pass.",
    needs_plane=True,
    check=no_map,
)
def fem(task: Task, *, deviations: float = 1.0) -> Attribution:
    """Add up where each channel of a layer stands out, weighted by its mean (Fuad et al., IPTA 2020).

    A channel marks the places that lie `deviations` standard deviations or more above its mean. The target plays no
    part.

    Args:
        task: the question.
        deviations: how far above the mean of its channel a place has to lie.
    """
    check_positive(deviations=deviations)
    found = read_map(task)
    count = len(task.targets)
    values = np.repeat(paint(_marked(found.values, deviations)[None], task.sample.features.shape), count, axis=0)
    facts = [{"layer": found.layer.name, "class_agnostic": True}] * count
    return Attribution(values, np.full(count, np.nan), facts=facts)


def _marked(maps: Array32, deviations: float) -> Array32:
    """Sum over channels (C, h, w) the places that stand out, by the channel's mean: (h, w)."""
    rows = maps.reshape(len(maps), -1).astype(np.float64)
    means, spread = rows.mean(axis=1), rows.std(axis=1)
    # A channel that is the same everywhere has no place that stands out.
    marks = (rows >= (means + deviations * spread)[:, None]) & (spread > 0)[:, None]
    marked: Array32 = (means @ marks).reshape(maps.shape[1:]).astype(np.float32)
    return marked

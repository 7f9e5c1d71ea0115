"""CAM: the exact share of each place in the score, where a network ends in an average and a linear classifier."""

import numpy as np

from agnostic.converters.layers import CamTail, analytic_cam
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Projection, Target
from agnostic.errors import UsageError
from agnostic.methods._maps import Array32, weigh
from agnostic.methods.registry import Attribution, Task, method


def _obstacle(model: Model) -> str | None:
    tail = analytic_cam(model.proto)
    if tail is None or tail.layer not in {layer.name for layer in model.layers}:
        return "the network does not end in a mean over a map and a linear classifier; scorecam works on any map"
    return None


@method(
    "cam",
    needs=("activations",),
    summary="The exact share of each place in the score; for mean + linear classifiers, one pass.",
    needs_plane=True,
    check=_obstacle,
)
def cam(task: Task) -> Attribution:
    """Read the class activation map off the network (Zhou et al., CVPR 2016).

    Where the scores are a linear function of the mean of a map, the score is the mean over all places of that function
    of the channels there. This is the map, exact before it is enlarged; what the places do not explain, the
    classifier's bias, is the base value.

    Raises:
        UsageError: the network does not end that way, or a target is no combination of class scores.
    """
    tail = analytic_cam(task.model.proto)
    if tail is None:
        raise UsageError(f"cam cannot run on this model: {_obstacle(task.model)}")
    if task.at not in (None, tail.layer):
        raise UsageError(f"cam is exact at {tail.layer!r} only; drop --at, or take scorecam or eigencam")
    maps, classes = _read(task, tail)
    mix = np.stack([_class_weights(task.model, target, tail, classes) for target in task.targets])
    weights = mix if tail.weights is None else mix @ tail.weights
    base = np.zeros(len(mix)) if tail.bias is None else mix @ tail.bias
    facts = [{"layer": tail.layer}] * len(mix)
    return Attribution(weigh(weights, maps, task.sample.features.shape), base, facts=facts)


def _read(task: Task, tail: CamTail) -> tuple[Array32, int]:
    """Run the model up to the map that is averaged: its channels (C, h, w), and the number of classes."""
    fetched = task.model.run(task.sample.arrays, (tail.layer, tail.logits))
    stored, logits = fetched[tail.layer][0].astype(np.float32), fetched[tail.logits].astype(np.float64).ravel()
    channels = logits.size if tail.weights is None else tail.weights.shape[1]
    layouts = [np.moveaxis(stored, axis, 0) for axis in (0, 2) if stored.shape[axis] == channels]
    # Where the sizes fit both ways, only the right layout gives the model's own scores.
    maps = min(layouts, key=lambda maps: np.abs(_scores(maps, tail) - logits).max())
    return np.ascontiguousarray(maps), logits.size


def _scores(maps: Array32, tail: CamTail) -> Floats:
    means = maps.mean(axis=(1, 2), dtype=np.float64)
    scores: Floats = means if tail.weights is None or tail.bias is None else tail.weights @ means + tail.bias
    return scores


def _class_weights(model: Model, target: Target, tail: CamTail, classes: int) -> Floats:
    """Write a target as a weighted sum of class scores: (classes,).

    Raises:
        UsageError: it reads something else.
    """
    axis = model.names.class_axis if tail.logits == model.scores_tensor else 0
    weights = np.zeros(classes)
    for term in target.terms:
        if isinstance(term, Projection) or term.tensor != tail.logits:
            raise UsageError(
                f"cam explains sums of entries of {tail.logits!r}, not {term}; scorecam explains any target"
            )
        index = term.index[axis]
        # No index is the mean over all classes.
        weights[slice(None) if index is None else index] += term.weight / (classes if index is None else 1)
    return weights

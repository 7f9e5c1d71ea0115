"""CAM: the exact share of each place in the score, where a network ends in an average and a linear classifier."""

import numpy as np

from agnostic.converters.layers import CamTail, analytic_cam
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import UsageError
from agnostic.methods._maps import read_map, weigh
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
    pictures_only=True,
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
    found = read_map(task, tail.layer)
    classes = len(found.values) if tail.weights is None else len(tail.weights)
    mix = np.stack([_class_weights(task.model, target, tail, classes) for target in task.targets])
    weights = mix if tail.weights is None else mix @ tail.weights
    base = np.zeros(len(mix)) if tail.bias is None else mix @ tail.bias
    facts = [{"layer": tail.layer}] * len(mix)
    return Attribution(weigh(weights, found.values, task.sample.features.shape), base, facts=facts)


def _class_weights(model: Model, target: Target, tail: CamTail, classes: int) -> Floats:
    """Write a target as a weighted sum of class scores: (classes,).

    Raises:
        UsageError: it reads something else.
    """
    axis = model.names.class_axis if tail.logits == model.scores_tensor else 0
    weights = np.zeros(classes)
    for term in target.terms:
        if term.tensor != tail.logits:
            raise UsageError(
                f"cam explains sums of entries of {tail.logits!r}, not {term}; scorecam explains any target"
            )
        index = term.index[axis]
        # No index is the mean over all classes.
        weights[slice(None) if index is None else index] += term.weight / (classes if index is None else 1)
    return weights

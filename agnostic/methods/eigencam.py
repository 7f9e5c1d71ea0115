"""Eigen-CAM: the strongest direction in a layer's map, whatever the target."""

import numpy as np

from agnostic.methods._maps import Array32, no_map, paint, read_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "eigencam",
    needs=("activations",),
    summary="The strongest pattern in a layer, whatever the class; needs one pass.",
    needs_plane=True,
    check=no_map,
)
def eigencam(task: Task) -> Attribution:
    """Project a layer's map on its first principal component (Muhammad and Yeasin, IJCNN 2020).

    As in the paper the map is not centred first. The sign of a component means nothing; it is chosen so that the map
    agrees with the mean of the channels. The target plays no part.
    """
    found = read_map(task)
    component = _first_component(found.values)
    count = len(task.targets)
    values = np.repeat(paint(component[None], task.sample.features.shape), count, axis=0)
    facts = [{"layer": found.layer.name, "class_agnostic": True}] * count
    return Attribution(values, np.full(count, np.nan), facts=facts)


def _first_component(maps: Array32) -> Array32:
    """Project (C, h, w) on its first right singular vector over the channels: (h, w)."""
    rows = maps.reshape(len(maps), -1).T
    left, strength, _ = np.linalg.svd(rows, full_matrices=False)
    projection = left[:, 0] * strength[0]
    sign = 1 if projection @ rows.mean(axis=1) >= 0 else -1
    component: Array32 = sign * projection.reshape(maps.shape[1:])
    return component

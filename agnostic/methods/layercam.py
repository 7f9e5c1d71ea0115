"""LayerCAM: a layer's entries, each weighted by its own positive gradient."""

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradcam import at_layer, painted
from agnostic.methods._maps import no_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "layercam",
    needs=("gradient", "activations"),
    summary="The entries of a layer, weighted by their positive gradients; sharp at early layers too.",
    needs_plane=True,
    check=no_map,
)
def layercam(task: Task, *, gradient_of: GradientOf = "logit") -> Attribution:
    """Weigh each entry of a layer by the positive part of its own gradient (Jiang et al., TIP 2021).

    What speaks against the target is left out channel by channel, so at a layer with much common to several targets,
    their maps are alike.

    Args:
        task: the question.
        gradient_of: logit, probability or loss of the target.
    """
    found = at_layer(task, gradient_of)
    small = (np.maximum(found.gradients[:, 0], 0) * found.maps[0]).sum(axis=1)
    return painted(task, found.layer, small)

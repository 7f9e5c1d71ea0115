"""XGrad-CAM: a layer's channels, weighted by the gradient where they are active."""

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.engine.target import Floats
from agnostic.methods._gradcam import LayerGradients, at_layer, fold, painted
from agnostic.methods._maps import no_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "xgradcam",
    needs=("gradient", "activations"),
    summary="The channels of a layer, weighted by the gradient where they are active.",
    needs_plane=True,
    check=no_map,
)
def xgradcam(task: Task, *, signed: bool = False, gradient_of: GradientOf = "logit") -> Attribution:
    """Weigh the channels of a layer by their gradient, averaged in proportion to the channel (Fu et al., BMVC 2020).

    These weights come nearest to two axioms: a channel gets what its removal costs, and all channels together get the
    score. The paper has layers behind a ReLU in mind. Where a channel changes sign, as behind a LayerNorm, its sum may
    vanish; the proportions are therefore those of its size.

    Args:
        task: the question.
        signed: keep what speaks against the target; the paper shows the positive part.
        gradient_of: logit, probability or loss of the target.
    """
    found = at_layer(task, gradient_of)
    return painted(task, found.layer, fold(_weights(found), found.maps[0]), signed=signed)


def _weights(found: LayerGradients) -> Floats:
    """Average the gradient of each channel by the size of its entries: (targets, C); 0 for a channel that is off."""
    sizes = np.abs(found.maps[0])
    totals = sizes.sum(axis=(1, 2))
    weighted: Floats = (found.gradients[:, 0] * sizes).sum(axis=(2, 3))
    return weighted / np.where(totals > 0, totals, 1)

"""Grad-CAM: a layer's channels, weighted by the mean gradient of the score."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradcam import at_layer, fold, mean_weights, painted
from agnostic.methods._maps import no_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "gradcam",
    needs=("gradient", "activations"),
    summary="The channels of a layer, weighted by their mean gradient; one pass.",
    needs_plane=True,
    check=no_map,
)
def gradcam(task: Task, *, signed: bool = False, gradient_of: GradientOf = "logit") -> Attribution:
    """Weigh the channels of a layer by the mean of the gradient over its places (Selvaraju et al., ICCV 2017).

    Where the layer is averaged and a linear classifier follows, this is `cam` divided by the number of places.
    Elsewhere the mean forgets where the gradient was: the map may light places that the score does not depend on, which
    `hirescam` does not.

    Args:
        task: the question.
        signed: keep what speaks against the target; the paper shows the positive part.
        gradient_of: logit, probability or loss of the target.
    """
    found = at_layer(task, gradient_of)
    return painted(task, found.layer, fold(mean_weights(found), found.maps[0]), signed=signed)

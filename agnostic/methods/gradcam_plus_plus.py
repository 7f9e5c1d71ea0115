"""Grad-CAM++: a layer's channels, weighted by their positive gradients, each place of an object counted alike."""

from agnostic.methods._gradcam import at_layer, fold, painted, second_order_weights
from agnostic.methods._maps import no_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "gradcam++",
    needs=("gradient", "activations"),
    summary="The channels of a layer, weighted by positive gradients; for several objects of one class.",
    needs_plane=True,
    check=no_map,
)
def gradcam_plus_plus(task: Task) -> Attribution:
    """Weigh the channels of a layer by positive gradients, evened out (Chattopadhay et al., WACV 2018).

    The paper differentiates the exponential of the score, whose second and third derivatives are powers of the first
    where the layer acts through ReLUs. The exponential itself is a factor common to all channels and is left out, so
    that high scores do not overflow. Only positive gradients count, so a channel that speaks against the target takes
    nothing off: on pictures of several objects the maps of the targets are more alike than those of `gradcam`.
    """
    found = at_layer(task)
    first = found.gradients[:, 0]
    weights = second_order_weights(first, first**2, first**3, found.maps[0])
    return painted(task, found.layer, fold(weights, found.maps[0]))

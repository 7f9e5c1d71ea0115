"""HiResCAM: a layer's entries, each times its own gradient."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradcam import at_layer, painted
from agnostic.methods._maps import no_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "hirescam",
    needs=("gradient", "activations"),
    summary="The entries of a layer, each times its own gradient: only places the score depends on.",
    needs_plane=True,
    check=no_map,
)
def hirescam(task: Task, *, signed: bool = False, gradient_of: GradientOf = "logit") -> Attribution:
    """Multiply a layer by its gradient, place by place, and sum the channels (Draelos & Carin 2020).

    Nothing is averaged, so no place is lit that the score does not depend on. Where everything behind the layer is
    linear, the places of the signed map add up to the score, its bias left out.

    Args:
        task: the question.
        signed: keep what speaks against the target.
        gradient_of: logit, probability or loss of the target.
    """
    found = at_layer(task, gradient_of)
    small = (found.gradients[:, 0] * found.maps[0]).sum(axis=1)
    return painted(task, found.layer, small, signed=signed)

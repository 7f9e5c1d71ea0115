"""Guided Grad-CAM: guided backpropagation, kept where Grad-CAM is lit."""

from agnostic.engine.autograd import GradientOf
from agnostic.engine.model import Model
from agnostic.methods._gradcam import at_input, at_layer, fold, mean_weights, painted
from agnostic.methods._gradients import why_not_gated
from agnostic.methods._maps import no_map
from agnostic.methods.registry import Attribution, Task, method


def _obstacle(model: Model) -> str | None:
    return no_map(model) or why_not_gated(model)


@method(
    "guided_gradcam",
    needs=("gradient", "activations"),
    summary="Guided backpropagation, kept where Grad-CAM is lit: sharp and of the target.",
    needs_plane=True,
    check=_obstacle,
)
def guided_gradcam(task: Task, *, gradient_of: GradientOf = "logit") -> Attribution:
    """Multiply guided backpropagation at the input by the enlarged Grad-CAM (Selvaraju et al., ICCV 2017).

    The layer that is named, or the default one, is Grad-CAM's. A position gets the size of its largest channel; the
    signed channels are kept beside it.

    Args:
        task: the question.
        gradient_of: logit, probability or loss of the target.
    """
    found = at_layer(task, gradient_of)
    coarse = painted(task, found.layer, fold(mean_weights(found), found.maps[0]))
    sharp = at_input(task, gradient_of, "guided")
    pixels = task.sample.numbers.view(sharp)
    pixels *= coarse.values[:, None]
    values = abs(pixels).max(axis=1)
    return coarse._replace(values=values, detail=sharp)

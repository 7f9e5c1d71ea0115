"""Saliency: the gradient of the score by the input, or by any layer."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradients import at_sample, attribution
from agnostic.methods.registry import Attribution, Task, method


@method(
    "saliency",
    needs=("gradient",),
    summary="The gradient of the score: where a small change would matter most.",
)
def saliency(task: Task, *, gradient_of: GradientOf = "logit") -> Attribution:
    """Take the size of the gradient (Simonyan, Vedaldi & Zisserman 2014).

    Args:
        task: the question.
        gradient_of: logit, probability or loss of the target.
    """
    return attribution(task, at_sample(task, gradient_of), channels="largest")

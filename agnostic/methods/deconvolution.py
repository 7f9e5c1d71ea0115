"""Deconvolution: ReLUs hand back only what is positive, whether they were active or not."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradients import at_sample, attribution, why_not_gated
from agnostic.methods.registry import Attribution, Task, method


@method(
    "deconvolution",
    needs=("gradient",),
    summary="The gradient through ReLUs that pass only positive signals, active or not.",
    check=why_not_gated,
)
def deconvolution(task: Task, *, gradient_of: GradientOf = "logit") -> Attribution:
    """Backpropagate positive gradients through every ReLU (Zeiler & Fergus 2014).

    Sharp, but partly a drawing of the input's edges whatever the target: read it beside another method.

    Args:
        task: the question.
        gradient_of: logit, probability or loss of the target.
    """
    return attribution(task, at_sample(task, gradient_of, "deconvolution"), channels="largest")

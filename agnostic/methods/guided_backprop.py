"""Guided backpropagation: ReLUs hand back only what is positive, where they were active."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradients import at_sample, attribution, why_not_gated
from agnostic.methods.registry import Attribution, Task, method


@method(
    "guided_backprop",
    needs=("gradient",),
    summary="The gradient through ReLUs that pass only positive signals, where they were active.",
    check=why_not_gated,
)
def guided_backprop(task: Task, *, gradient_of: GradientOf = "logit") -> Attribution:
    """Backpropagate positive gradients through active ReLUs only (Springenberg et al. 2015).

    Sharp, but partly a drawing of the input's edges whatever the target: read it beside another method.

    Args:
        task: the question.
        gradient_of: logit, probability or loss of the target.
    """
    return attribution(task, at_sample(task, gradient_of, "guided"), channels="largest")

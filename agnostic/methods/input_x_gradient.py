"""Input times gradient: what each entry adds to the score, as if the model were linear."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradients import at_sample, attribution
from agnostic.methods.registry import Attribution, Task, method


@method(
    "input_x_gradient",
    needs=("gradient",),
    summary="The input times its gradient: what each entry adds to the score, as if the model were linear.",
)
def input_x_gradient(task: Task, *, gradient_of: GradientOf = "logit") -> Attribution:
    """Multiply the gradient by the input itself (Shrikumar et al. 2016, arXiv:1605.01713).

    Args:
        task: the question.
        gradient_of: logit, probability or loss of the target.
    """
    return attribution(task, at_sample(task, gradient_of) * task.origin)

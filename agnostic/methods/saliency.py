"""Saliency: the gradient of the score by the input, or by any layer."""

import numpy as np

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
        gradient_of: logit, probability or loss of the target.
    """
    found = at_sample(task, gradient_of)
    return attribution(task, np.abs(found), channels="largest")

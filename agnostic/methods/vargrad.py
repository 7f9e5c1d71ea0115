"""VarGrad: the variance of the gradient over noisy copies of the input."""

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradients import attribution
from agnostic.methods._noise import facts, over_noise
from agnostic.methods.registry import Attribution, Task, method


@method("vargrad", needs=("gradient",), summary="The variance of the gradient over noisy copies of the input.")
def vargrad(task: Task, *, samples: int = 50, noise: float = 0.1, gradient_of: GradientOf = "logit") -> Attribution:
    """Take the variance of the gradient over noise (Adebayo et al. 2018).

    Args:
        task: the question.
        samples: how many noisy copies.
        noise: standard deviation, as a share of the input's range.
        gradient_of: logit, probability or loss of the target.
    """
    found = over_noise(task, samples, noise, gradient_of)
    variance = np.maximum(found.square - np.square(found.mean), 0)
    return attribution(task, variance, facts=facts(task, samples))

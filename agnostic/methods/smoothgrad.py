"""SmoothGrad: the gradient averaged over noisy copies of the input."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._gradients import attribution
from agnostic.methods._noise import facts, over_noise
from agnostic.methods.registry import Attribution, Task, method


@method("smoothgrad", needs=("gradient",), summary="The gradient, averaged over noisy copies of the input.")
def smoothgrad(task: Task, *, samples: int = 50, noise: float = 0.1, gradient_of: GradientOf = "logit") -> Attribution:
    """Average the gradient over noise, and take its size (Smilkov et al. 2017).

    Args:
        task: the question.
        samples: how many noisy copies.
        noise: standard deviation, as a share of the input's range.
        gradient_of: logit, probability or loss of the target.
    """
    found = over_noise(task, samples, noise, gradient_of)
    return attribution(task, found.mean, channels="largest", facts=facts(task, samples))

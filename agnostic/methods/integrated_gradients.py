"""Integrated gradients: the gradient along the way from a baseline to the input."""

from agnostic.engine.autograd import GradientOf
from agnostic.methods._baselines import baselines as make_baselines
from agnostic.methods._gradients import attribution
from agnostic.methods._integrate import Quadrature, facts, integrate
from agnostic.methods.registry import Attribution, Task, check_positive, method


@method(
    "integrated_gradients",
    needs=("gradient",),
    summary="The gradient summed up on the way from a baseline: the values add up to the score's rise.",
    fill="black",
)
def integrated_gradients(
    task: Task,
    *,
    steps: int = 50,
    baselines: tuple[str, ...] = ("fill",),
    quadrature: Quadrature = "gauss-legendre",
    gradient_of: GradientOf = "logit",
) -> Attribution:
    """Integrate the gradient along straight lines from baselines (Sundararajan, Taly & Yan 2017).

    Args:
        task: the question.
        steps: points on the way from each baseline.
        baselines: what to start from, averaged over: fill (as --fill says), zero, noise, black, white or another fill.
        quadrature: gauss-legendre, or riemann (equal steps, each at its middle).
        gradient_of: logit, probability or loss of the target.
    """
    check_positive(steps=steps)
    starts = make_baselines(task, baselines)
    found = integrate(task, starts, steps, quadrature, gradient_of)
    told = facts(found, steps=steps, baselines=list(baselines))
    return attribution(task, found.found, base_values=found.base_values, facts=told)

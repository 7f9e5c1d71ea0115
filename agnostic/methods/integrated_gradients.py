"""Integrated gradients: the gradient along the way from a baseline to the input."""

from typing import Literal

from agnostic.engine.autograd import GradientOf
from agnostic.methods._adaptive import integrate_adaptively
from agnostic.methods._baselines import baselines as make_baselines
from agnostic.methods._gradients import attribution
from agnostic.methods._integrate import facts, integrate
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
    quadrature: Literal["adaptive", "gauss-legendre", "riemann"] = "adaptive",
    tolerance: float = 1e-3,
    most: int = 1000,
    gradient_of: GradientOf = "logit",
) -> Attribution:
    """Integrate the gradient along straight lines from baselines (Sundararajan, Taly & Yan 2017).

    Between two points the integral has to be the difference of their scores, so it is known where it is wrong: the
    adaptive quadrature puts further points there, until the values add up to the score's rise. With gauss-legendre or
    riemann there are `steps` points and no more; on networks of ReLUs they leave an error of about a hundredth.

    Args:
        task: the question.
        steps: points on the way from each baseline; of the adaptive quadrature, those to begin with.
        baselines: what to start from, averaged over: fill (as --fill says), zero, noise, black, white or another fill.
        quadrature: adaptive, gauss-legendre, or riemann (equal steps, each at its middle).
        tolerance: of the adaptive quadrature, the error at which it ends, as a share of the score's rise.
        most: of the adaptive quadrature, points in all; where they do not suffice, the error that is left is recorded.
        gradient_of: logit, probability or loss of the target.
    """
    check_positive(steps=steps, tolerance=tolerance, most=most)
    starts = make_baselines(task, baselines)
    if quadrature == "adaptive":
        found = integrate_adaptively(task, starts, steps, tolerance, most, gradient_of)
    else:
        found = integrate(task, starts, steps, quadrature, gradient_of)
    told = facts(found, steps=steps, points=found.points, baselines=list(baselines))
    return attribution(task, found.found, base_values=found.base_values, facts=told)

"""LIME with a global prior: a local linear model that leans on one linear model of many inputs."""

from agnostic.methods._local import Distance, Sampling
from agnostic.methods._prior import Prior, fit_towards
from agnostic.methods.registry import Attribution, Task, method


@method("lime_prior", needs=("forward",), summary="LIME, leaning on one linear model of many inputs.")
def lime_prior(
    task: Task,
    *,
    prior: Prior | None = None,
    force: float = 1.0,
    scale: float | None = None,
    samples: int = 1000,
    kernel_width: float = 0.25,
    distance: Distance = "cosine",
    stop: float = 0.99,
) -> Attribution:
    """Fit LIME's model by a ridge regression towards a global linear model, as InterpretDL's LIMEPrior does.

    The fit is that of `glime`. The prior is another one: the slopes of a single ridge regression, over many inputs, of
    the score over which features occur in an input.

    Args:
        task: the question.
        prior: a file that `agnostic summarize` wrote of inputs whose features differ, or weights by identity
            (or by target, then identity).
        force: how strongly the fit is drawn to the prior, against samples of unit spread; small is plain LIME.
        scale: the sum of the prior's weights, in spreads of the score; by default what the fit has without a prior, so
            that the prior says how much each feature gets, not how much there is. The published one is 1.
        samples: how many patterns at most.
        kernel_width: distance at which a pattern's weight has fallen to 0.61; smaller is more local.
        distance: cosine (one minus the cosine of the angle to the all-on pattern), or euclidean (the root of the share
            of features that are off).
        stop: correlation at which the slopes count as stable, below 1; 0 draws all samples.
    """
    return fit_towards("lime_prior", task, Sampling(samples, kernel_width, distance, stop), prior, force, scale)

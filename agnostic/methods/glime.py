"""G-LIME: a local linear model that leans on what features are worth over many inputs."""

from agnostic.methods._local import Distance, Sampling
from agnostic.methods._prior import Prior, fit_towards
from agnostic.methods.registry import Attribution, Task, method


@method("glime", needs=("forward",), summary="LIME, leaning on what features are worth on average over many inputs.")
def glime(
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
    """Fit LIME's model by a ridge regression towards a prior (Li et al., "G-LIME", Artificial Intelligence 314, 2023).

    With features X and scores y of unit spread under the samples' weights, the slopes are
    (X'X + force I)^-1 (X'y + force scale w0), where w0 is the prior, its sizes adding up to one. The prior is the mean
    of the weights that features had on many inputs, by their identity: NormLIME's or any other method's.

    Args:
        task: the question.
        prior: a file that `agnostic summarize` wrote, or weights by identity (or by target, then identity).
        force: how strongly the fit is drawn to the prior, against samples of unit spread; small is plain LIME.
        scale: the sum of the prior's weights, in spreads of the score; by default what the fit has without a prior, so
            that the prior says how much each feature gets, not how much there is. The published one is 1.
        samples: how many patterns at most.
        kernel_width: distance at which a pattern's weight has fallen to 0.61; smaller is more local.
        distance: cosine (one minus the cosine of the angle to the all-on pattern), or euclidean (the root of the share
            of features that are off).
        stop: correlation at which the slopes count as stable, below 1; 0 draws all samples.
    """
    return fit_towards("glime", task, Sampling(samples, kernel_width, distance, stop), prior, force, scale)

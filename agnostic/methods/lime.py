"""LIME: a local linear model of the score over random on/off patterns of the features."""

from agnostic.engine.target import Floats
from agnostic.methods._local import Distance, Sampling, check_penalty, fit_locally, fitted
from agnostic.methods._regression import Fit, ridge
from agnostic.methods.registry import Attribution, Task, method


@method("lime", needs=("forward",), summary="A local linear model of the score over random on/off patterns.")
def lime(
    task: Task,
    *,
    samples: int = 1000,
    kernel_width: float = 0.25,
    distance: Distance = "cosine",
    penalty: float = 1.0,
    stop: float = 0.99,
) -> Attribution:
    """Fit a weighted ridge regression to the scores of random patterns (Ribeiro, Singh and Guestrin, KDD 2016).

    The slopes of the fit are the features' weights; see `fit_locally` for what is drawn, and when it is enough.

    Args:
        task: the question.
        samples: how many patterns at most.
        kernel_width: distance at which a pattern's weight has fallen to 0.61; smaller is more local.
        distance: cosine (one minus the cosine of the angle to the all-on pattern), or euclidean (the root of the share
            of features that are off).
        penalty: of the ridge regression; 0 is plain least squares.
        stop: correlation at which the slopes count as stable, below 1; 0 draws all samples.
    """
    check_penalty(penalty)

    def solve(sums: Floats) -> Fit:
        return ridge(sums, task.sample.features.count, penalty)

    return fitted(task, fit_locally("lime", task, Sampling(samples, kernel_width, distance, stop), solve))

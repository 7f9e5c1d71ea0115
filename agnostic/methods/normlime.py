"""NormLIME: LIME's weights, normalised so that they can be averaged over inputs."""

import numpy as np

from agnostic.engine.target import Floats
from agnostic.methods._local import Distance, Sampling, check_penalty, fit_locally, fitted
from agnostic.methods._regression import Fit, ridge
from agnostic.methods.registry import Attribution, Task, method


@method("normlime", needs=("forward",), summary="LIME's weights, normalised so that they can be averaged over inputs.")
def normlime(
    task: Task,
    *,
    samples: int = 1000,
    kernel_width: float = 0.25,
    distance: Distance = "cosine",
    penalty: float = 1.0,
    stop: float = 0.99,
) -> Attribution:
    """Normalise the weights of LIME (Ahern et al., "NormLIME", 2019).

    A weight w becomes w^2 / (sum of |w| over the features), times its sign: the features of an input share as much as
    its weights are worth, and few strong ones count more than many weak ones. The paper has no sign, so that what
    speaks for and what speaks against add up; here both are kept apart, and the published value is the size.
    `agnostic summarize --method normlime` averages over many inputs, which is the paper's global importance.

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

    found = fit_locally("normlime", task, Sampling(samples, kernel_width, distance, stop), solve)
    local = fitted(task, found)
    weights = normalised(np.stack([item.slopes for item in found])).astype(np.float32)
    nowhere = np.full(len(weights), np.nan)
    return Attribution(task.sample.features.paint(weights), nowhere, weights, local.facts)


def normalised(weights: Floats) -> Floats:
    """Square weights (..., features), keep their sign, and divide by the sum of their sizes.

    >>> normalised(np.array([3.0, -1.0, 0.0])).tolist()
    [2.25, -0.25, 0.0]
    """
    whole = np.abs(weights).sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(weights * np.abs(weights), whole, out=np.zeros_like(weights), where=whole > 0)
    return shares

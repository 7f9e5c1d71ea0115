"""KernelSHAP: Shapley values by a weighted regression over coalitions of features."""

import numpy as np

from agnostic.engine.target import Floats
from agnostic.inputs.features import Keep
from agnostic.methods._coalitions import Coalitions, choose
from agnostic.methods._regression import check_size, in_chunks, moments
from agnostic.methods.registry import Attribution, Task, check_positive, method

CHUNK = 256


@method("kernelshap", needs=("forward",), summary="Shapley values: each feature's fair share of the score.")
def kernelshap(task: Task, *, samples: int | None = None) -> Attribution:
    """Estimate Shapley values by the regression of KernelSHAP (Lundberg and Lee, NeurIPS 2017).

    The values of all features add up to score - base value, always. Where all coalitions are asked about, they are the
    Shapley values themselves.

    Args:
        task: the question.
        samples: how many coalitions at most; by default 2048 and twice the number of features. Where there are no more
            than that, which holds up to 11 features by default, all are taken and the answer is exact.
    """
    features = task.sample.features
    check_size("kernelshap", features.count)
    samples = 2 * features.count + 2048 if samples is None else samples
    check_positive(samples=samples)
    coalitions = choose(features.count, samples, task.random())
    shares = _shares(task, coalitions)
    weights = shares.astype(np.float32)
    facts = [{"coalitions": len(coalitions.keep), "exact": coalitions.exact}] * len(weights)
    return Attribution(features.paint(weights), task.base_scores, weights, facts)


def _shares(task: Task, coalitions: Coalitions) -> Floats:
    """Solve the regression under the condition that the shares add up: (targets, features)."""
    players = task.sample.features.count
    gain = task.scores - task.base_scores
    sums = np.zeros((1 + players + len(gain),) * 2)
    keep, counts = _with_ends(coalitions)
    for chunk in in_chunks(task.sweep_features(keep), CHUNK):
        part = slice(chunk.start, chunk.stop)
        sums += moments(keep[part], chunk.scores - task.base_scores, counts[part])
    matrix, right = sums[1 : 1 + players, 1 : 1 + players], sums[1 : 1 + players, 1 + players :]
    # Start from equal shares, which add up, and search the best change among those that add up to nothing.
    equal = np.tile(gain / players, (players, 1))
    # One eigenvalue is zero up to rounding; at NumPy's own cut-off it is now and then inverted like any other.
    inverse = np.linalg.pinv(_centred(_centred(matrix).T), rcond=1e-10, hermitian=True)
    change = inverse @ _centred(right - matrix @ equal)
    return (equal + _centred(change)).T


def _with_ends(coalitions: Coalitions) -> tuple[Keep, Floats]:
    """Put everybody and nobody in front, who count nothing: all others may score the same without anything being wrong.

    Two features that are worth the same are such a case; an answer that never moves is noticed by the sweep.
    """
    ends = np.repeat([[True], [False]], coalitions.keep.shape[1], axis=1)
    return np.concatenate([ends, coalitions.keep]), np.concatenate([[0.0, 0.0], coalitions.weights])


def _centred(matrix: Floats) -> Floats:
    """Take the mean off along the first axis, along which everything then adds up to nothing."""
    return np.asarray(matrix - matrix.mean(axis=0))

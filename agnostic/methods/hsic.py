"""HSIC: how much the score depends on each feature, measured between random masks and what they score."""

import numpy as np

from agnostic.engine.target import Floats
from agnostic.inputs.features import Keep
from agnostic.methods._switches import Masks, switches
from agnostic.methods.registry import Attribution, Task, check_positive, method

# Masks between which the median distance of scores is taken, and those whose kernel is held at once.
_JUDGED, _CHUNK = 2000, 512


@method("hsic", needs=("forward",), summary="How much the score depends on each feature, in few passes: HSIC.")
def hsic(task: Task, *, masks: int = 1500, cells: int = 7) -> Attribution:
    """Measure the dependence between switches and score (Novello, Fel & Vigouroux, NeurIPS 2022).

    Every switch is on with probability one half. Its value is the Hilbert-Schmidt independence criterion between it and
    the score: 0 where they are independent, at most 1/4. The kernel of a switch is 1 where two masks agree on it, that
    of the score a Gaussian as wide as the median distance between two scores (of those that differ).
    It says how much a feature matters on its own, not for or against.

    Args:
        task: the question.
        masks: how many.
        cells: length of a side of the grid whose cells are switched, on a plane; 0 switches the features themselves.
    """
    check_positive(masks=masks - 1)
    switched = switches(task, cells)
    drawn = task.random().integers(0, 2, (masks, switched.count), dtype=np.bool_)

    def shown(start: int, stop: int) -> Masks:
        return drawn[start:stop].astype(np.float32)

    scores = np.empty((masks, len(task.targets)))
    for block in switched.sweep(masks, shown):
        scores[block.start : block.stop] = block.scores
    found = np.stack([_dependence(drawn, of_target) for of_target in scores.T])
    return switched.attribution(found, masks=masks)


def _dependence(drawn: Keep, scores: Floats) -> Floats:
    """Estimate the criterion of every switch, (switches,): tr(K H L H) / (n - 1)^2.

    The kernel of a switch is 1/2 + s s'/2 with s = -1 or 1. Centring takes the 1/2 away, so the trace is a quadratic
    form, and no matrix of all pairs is held.
    """
    signs = 2.0 * drawn - 1.0
    centred = signs - signs.mean(axis=0)
    width = _width(scores)
    total = np.zeros(drawn.shape[1])
    for start in range(0, len(scores), _CHUNK):
        part = slice(start, start + _CHUNK)
        kernel = np.exp(-0.5 * np.square((scores[part, None] - scores[None]) / width))
        total += np.sum(centred[part] * (kernel @ centred), axis=0)
    return total / 2 / (len(scores) - 1) ** 2


def _width(scores: Floats) -> float:
    """Take the median distance between two scores that differ; 1 where none do."""
    judged = scores[:_JUDGED]
    apart = np.abs(judged[:, None] - judged[None])[np.triu_indices(len(judged), 1)]
    return float(np.median(apart[apart > 0])) if apart.any() else 1.0

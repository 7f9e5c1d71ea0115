"""Confident learning: which samples belong, by the model's own probabilities, to another class than their label's.

Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels" (JAIR 2021). A class's threshold is the
mean probability that samples labelled with it have for it; a sample is counted in the class with the highest
probability of those that reach their threshold, and called wrong where that is not its label. The paper takes
probabilities of samples that the model was not trained on. A run holds none, but their mean over the epochs is close:
a wrong label is fitted late.
"""

import numpy as np

from agnostic.training.dynamics import Doubles, Dynamics
from agnostic.training.ranking import Ranking, ranked
from agnostic.training.run import Run
from agnostic.training.store import Ints


def confident(dynamics: Dynamics, run: Run) -> Ranking:
    """Rank by the normalised margin: the highest mean probability of another class less that of the label."""
    score = dynamics.rival_confidence - dynamics.confidence
    counted = _counted(dynamics, run)
    flagged = dynamics.there & (counted >= 0) & (counted != dynamics.labels)
    columns = {"confidence": dynamics.confidence, "rival": dynamics.rival, "counted_in": counted}
    note = "by mean probabilities over the epochs; flagged: confidently of another class"
    return Ranking("confident", score, ranked(score, dynamics.there), flagged, columns=columns, note=note)


def thresholds(dynamics: Dynamics, classes: int) -> Doubles:
    """The mean confidence of the samples of each label: (classes,), above 1 where a label has no sample."""
    there = dynamics.there
    counts = np.bincount(dynamics.labels[there], minlength=classes)
    sums = np.bincount(dynamics.labels[there], dynamics.confidence[there], minlength=classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), 2.0)


def _counted(dynamics: Dynamics, run: Run) -> Ints:
    """The class that each sample is counted in, -1 where none reaches its threshold: (n,)."""
    bounds = thresholds(dynamics, run.size.classes)
    found = np.full(len(dynamics), -1)
    for block in run.blocks():
        chances = np.where(block.seen[..., None], block.probabilities(), 0).sum(axis=0, dtype=np.float64)
        means = chances / np.maximum(block.seen.sum(axis=0), 1)[:, None]
        # A class's own mean reaches itself, whatever the order in which the two were summed up.
        reaching = np.where(means >= bounds - 1e-9, means, -1)
        best = reaching.argmax(axis=1)
        found[block.start : block.stop] = np.where(reaching.max(axis=1) > 0, best, -1)
    return found

"""TIDY: samples that the model gets right late in training, if at all, probably have a wrong label.

InterpretDL's rule (PaddlePaddle, 2020): a sample's score is the mean number of the epochs in which it is predicted
right, and it is called wrong where that is more than five standard deviations above the mean of all. There, samples
that are never right are passed over; they are the most suspect, and come first here.

Two features set easy, hard and wrong samples apart: when a sample is right (`mean_epoch`) and how often
(`share_right`). Easy ones are right always, hard ones most of the time, wrong ones late or never.
"""

import numpy as np

from agnostic.errors import UsageError
from agnostic.training.dynamics import Dynamics
from agnostic.training.ranking import Ranking, ranked

DEVIATIONS = 5.0


def tidy(dynamics: Dynamics, *, deviations: float = DEVIATIONS) -> Ranking:
    """Rank by the mean epoch of right predictions, samples that are never right first.

    Args:
        dynamics: what is known of the samples.
        deviations: how many standard deviations above the mean a score has to be to flag its sample.

    Raises:
        UsageError: the number of deviations is not positive.
    """
    if not deviations > 0:
        raise UsageError(f"deviations={deviations}: expected a number above 0")
    never = dynamics.there & (dynamics.right == 0)
    rightly = dynamics.right > 0
    means = dynamics.mean_epoch[rightly]
    threshold = float(means.mean() + deviations * means.std()) if means.size else np.inf
    score = np.where(never, np.inf, dynamics.mean_epoch)
    flagged = never | (rightly & (score > threshold))
    order = ranked(score, dynamics.there, dynamics.confidence)
    columns = {"mean_epoch": dynamics.mean_epoch, "share_right": dynamics.share_right, "never_learned": never}
    note = f"never learned first; flagged: these, and mean epochs above mean + {deviations:g} standard deviations"
    return Ranking("tidy", score, order, flagged, threshold, columns, note)

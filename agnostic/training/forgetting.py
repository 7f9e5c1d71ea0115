"""Forgetting events: how often a sample that was predicted right is predicted wrong the next time.

Toneva et al., "An Empirical Study of Example Forgetting during Deep Neural Network Learning" (ICLR 2019).
"""

import numpy as np

from agnostic.training.dynamics import Dynamics
from agnostic.training.ranking import Ranking, ranked


def forgetting(dynamics: Dynamics) -> Ranking:
    """Rank by forgetting events; samples never predicted right count as forgotten infinitely often and come first.

    The paper flags nothing; what is flagged here are the samples never learned. Ties, of which there are many, are
    broken by the share of epochs with a right prediction.
    """
    never = dynamics.there & (dynamics.right == 0)
    score = np.where(never, np.inf, np.where(dynamics.there, dynamics.forgotten, np.nan))
    order = ranked(score, dynamics.there, dynamics.share_right, dynamics.confidence)
    columns = {
        "forgotten": dynamics.forgotten,
        "never_learned": never,
        "first_right": dynamics.first_right,
        "learned": dynamics.learned,
    }
    note = "never learned first, then by events; ties by the share of right predictions; flagged: never learned"
    return Ranking("forgetting", score, order, never, np.inf, columns, note)

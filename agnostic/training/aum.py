"""AUM: the area under the margin, the mean over training of the label's score less the largest other score.

Pleiss et al., "Identifying Mislabeled Data using the Area Under the Margin Ranking" (NeurIPS 2020). The threshold below
which a sample is called mislabelled is learned: some samples are given a class of their own that does not exist
(`threshold_samples`), the network is trained on all, and their AUMs show what a wrong label looks like.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError, UsageError
from agnostic.training.dynamics import Dynamics
from agnostic.training.ranking import Ranking, ranked
from agnostic.training.store import Ints

PERCENTILE = 99.0


class Threshold(NamedTuple):
    """Labels to train with so that a threshold can be learned.

    Attributes:
        labels: (n,) the labels, those of the chosen samples replaced by a class more, `classes`.
        ids: the chosen samples.
    """

    labels: Ints
    ids: Ints


def threshold_samples(labels: npt.ArrayLike, classes: int, *, seed: int = 0, part: int = 0) -> Threshold:
    """Give n / (classes + 1) samples a class of their own, as many as another class has.

    The paper trains twice, with `part` 0 and 1: two sets without a common sample, each of which the other run judges.

    Args:
        labels: (n,) the assigned classes.
        classes: how many there are; the network to train has one more.
        seed: of the choice.
        part: which of the disjoint sets.

    Raises:
        UsageError: there are too few samples for such a part.
    """
    given = np.asarray(labels, np.int64)
    count = len(given) // (classes + 1)
    if count < 1 or not 0 <= part < len(given) // count:
        raise UsageError(f"part={part}: {len(given)} samples of {classes} classes have no such part")
    chosen = np.sort(np.random.default_rng(seed).permutation(len(given))[part * count : (part + 1) * count])
    changed = given.copy()
    changed[chosen] = classes
    return Threshold(changed, chosen)


def aum(dynamics: Dynamics, *, threshold_ids: Sequence[int] | Ints = (), percentile: float = PERCENTILE) -> Ranking:
    """Rank by falling margin: the score is the negative of the AUM, so that the most suspect samples come first.

    Args:
        dynamics: what is known of the samples.
        threshold_ids: the samples that were trained with a class of their own; they are left out of the ranking, and
            samples with an AUM below the given percentile of theirs are flagged. Without them, what is flagged are
            samples with an AUM below zero: over training, another class scored higher than the label.
        percentile: which percentile of their AUMs is the threshold.

    Raises:
        InputError: a threshold sample is out of range or was never seen.
        UsageError: the percentile is not one.
    """
    if not 0 <= percentile <= 100:
        raise UsageError(f"percentile={percentile:g}: expected 0 to 100")
    ids = np.asarray(threshold_ids, np.int64)
    if ids.size and (ids.min() < 0 or ids.max() >= len(dynamics) or not dynamics.there[ids].all()):
        raise InputError(f"threshold samples: expected numbers from 0 to {len(dynamics) - 1} of samples that were seen")
    ranks_too = dynamics.there.copy()
    ranks_too[ids] = False
    bound = float(np.percentile(dynamics.margin[ids], percentile)) if ids.size else 0.0
    score = np.where(ranks_too, -dynamics.margin, np.nan)
    flagged = ranks_too & (dynamics.margin < bound)
    note = f"flagged: an AUM below {bound:.3g}" + (f", learned from {ids.size} threshold samples" if ids.size else "")
    columns = {"aum": dynamics.margin, "predicted": dynamics.predicted}
    return Ranking("aum", score, ranked(score, ranks_too), flagged, -bound, columns, note)

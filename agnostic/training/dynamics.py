"""What a run says of each sample, in one walk through it: when it was right, by how much, and how steadily.

Swayamdipta et al., "Dataset Cartography: Mapping and Diagnosing Datasets with Training Dynamics" (EMNLP 2020): a
sample's confidence is the mean probability of its label over the epochs, its variability the standard deviation of it.
Samples of high confidence are easy to learn, of high variability ambiguous, of low confidence and variability hard.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agnostic.training.run import Block, Bools, Run
from agnostic.training.store import Ints

Doubles = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]
#: What a sample's map says of it; the last are those never seen.
REGIONS = ("easy", "ambiguous", "hard", "unseen")


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What is known of each of n samples over the epochs in which it was seen.

    Attributes:
        labels: (n,) the assigned class, -1 for a sample never seen; all that follows is then NaN or -1.
        seen: (n,) in how many epochs it was seen.
        right: (n,) in how many of these the prediction was the label.
        confidence: (n,) mean probability of the label.
        variability: (n,) its standard deviation.
        margin: (n,) mean of the label's score less the largest other one (AUM).
        mean_epoch: (n,) mean number of the epochs with a right prediction, NaN where there is none.
        forgotten: (n,) how often a right prediction was followed by a wrong one.
        first_right: (n,) the first epoch with a right prediction, -1 where there is none.
        learned: (n,) the epoch from which on all predictions are right, -1 where the last one is wrong.
        predicted: (n,) the class predicted when it was last seen.
        rival: (n,) the class other than the label that has the highest mean probability.
        rival_confidence: (n,) that probability.
        epochs: of the run.
    """

    labels: Ints
    seen: Ints
    right: Ints
    confidence: Doubles
    variability: Doubles
    margin: Doubles
    mean_epoch: Doubles
    forgotten: Ints
    first_right: Ints
    learned: Ints
    predicted: Ints
    rival: Ints
    rival_confidence: Doubles
    epochs: int

    def __len__(self) -> int:
        """How many samples."""
        return len(self.labels)

    @cached_property
    def there(self) -> Bools:
        """Whether a sample was ever seen: (n,)."""
        there: Bools = self.seen > 0
        return there

    @cached_property
    def share_right(self) -> Doubles:
        """In which share of the epochs the prediction was right: (n,), NaN for a sample never seen."""
        shares: Doubles = np.where(self.there, self.right / np.maximum(self.seen, 1), np.nan)
        return shares

    @cached_property
    def region(self) -> Ints:
        """The region of the map that a sample lies in, a number into `REGIONS`: (n,).

        As the paper picks them, a third each of the samples: the most variable are ambiguous, then the least confident
        of the rest are hard.
        """
        order = np.argsort(-np.where(self.there, self.variability, -np.inf), kind="stable")
        third = int(self.there.sum()) // 3
        found = np.where(self.there, 0, 3)
        found[order[:third]] = 1
        rest = order[third : int(self.there.sum())]
        found[rest[np.argsort(self.confidence[rest], kind="stable")][:third]] = 2
        return found


def measure(run: Run, progress: Progress | None = None) -> Dynamics:
    """Walk through a run.

    Args:
        run: the run.
        progress: called with how many samples are done, and of how many.

    Raises:
        InputError: an epoch cannot be read.
        LimitError: the deadline passed.
    """
    parts = []
    for block in run.blocks():
        parts.append(_measured(block))
        if progress is not None:
            progress(block.stop, run.size.samples)
    names = [field.name for field in fields(Dynamics) if field.name != "epochs"]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return Dynamics(**arrays, epochs=run.epochs)


def _measured(block: Block) -> dict[str, npt.NDArray[np.generic]]:
    right, seen = block.right(), block.seen.sum(axis=0)
    there = seen > 0
    epochs = np.arange(len(right))[:, None]
    counted = right.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_epoch = (epochs * right).sum(axis=0) / counted
        margin = np.where(block.seen, block.margins(), 0).sum(axis=0, dtype=np.float64) / seen
    forgotten, first, learned = _runs(right, block.seen)
    return {
        "labels": block.labels,
        "seen": seen,
        "right": counted,
        **_probabilities(block, seen),
        "margin": margin,
        "mean_epoch": mean_epoch,
        "forgotten": np.where(there, forgotten, -1),
        "first_right": first,
        "learned": learned,
        "predicted": np.where(there, _last(block), -1),
    }


def _probabilities(block: Block, seen: Ints) -> dict[str, npt.NDArray[np.generic]]:
    """Confidence, variability and the strongest rival."""
    chances = block.probabilities()
    at = np.maximum(block.labels, 0)
    own = np.take_along_axis(chances, at[None, :, None], axis=2)[..., 0].astype(np.float64)
    chances[~block.seen] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        confidence = np.where(block.seen, own, 0).sum(axis=0) / seen
        variance = (np.where(block.seen, own - confidence, 0) ** 2).sum(axis=0) / seen
        means = chances.sum(axis=0, dtype=np.float64) / seen[:, None]
    np.put_along_axis(means, at[:, None], -1, axis=1)
    rival = means.argmax(axis=1)
    there = seen > 0
    return {
        "confidence": confidence,
        "variability": np.sqrt(variance),
        "rival": np.where(there, rival, -1),
        "rival_confidence": np.where(there, np.take_along_axis(means, rival[:, None], axis=1)[:, 0], np.nan),
    }


def _runs(right: Bools, seen: Bools) -> tuple[Ints, Ints, Ints]:
    """Forgetting events, the first right epoch, and the start of the right predictions that last: (b,) each."""
    count = right.shape[1]
    forgotten, first, learned = np.zeros(count, np.int64), np.full(count, -1), np.full(count, -1)
    before = np.zeros(count, bool)
    for epoch, (now, shown) in enumerate(zip(right, seen, strict=True)):
        forgotten += before & ~now & shown
        first[now & (first < 0)] = epoch
        learned[now & ~before] = epoch
        before = np.where(shown, now, before)
    return forgotten, first, np.where(before, learned, -1)


def _last(block: Block) -> Ints:
    """The class predicted when a sample was last seen."""
    epochs = len(block.seen)
    last = epochs - 1 - block.seen[::-1].argmax(axis=0)
    predicted: Ints = np.take_along_axis(block.logits.argmax(axis=2), last[None], axis=0)[0]
    return predicted

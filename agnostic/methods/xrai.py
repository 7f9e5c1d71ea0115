"""XRAI: regions of a picture, ranked by how densely integrated gradients fall into them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agnostic.engine.autograd import GradientOf
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods._baselines import baselines as make_baselines
from agnostic.methods._gradients import attribution
from agnostic.methods._integrate import facts, integrate
from agnostic.methods.registry import Attribution, Task, check_positive, method

Labels = npt.NDArray[np.int32]

# A region counts while it still covers this share of the picture: means over slivers are noise.
_LEAST = 0.002


@method(
    "xrai",
    needs=("gradient",),
    summary="Regions of the picture, ranked by the density of integrated gradients in them.",
    pictures_only=True,
    fill="black",
)
def xrai(
    task: Task,
    *,
    steps: int = 50,
    baselines: tuple[str, ...] = ("black", "white"),
    segments: tuple[int, ...] = (12, 25, 50, 100, 200),
    gradient_of: GradientOf = "logit",
) -> Attribution:
    """Grow the picture from regions with the densest integrated gradients (Kapishnikov et al. 2019).

    The picture is cut several times, coarse to fine. Again and again the region whose uncovered part has the highest
    mean attribution is added, and that part gets this mean. Slivers that are left over get theirs together.

    Args:
        task: the question.
        steps: points on the way from each baseline.
        baselines: what to start from, averaged over: black, white, zero, noise, fill (as --fill says) or another fill.
        segments: about how many regions each cut has.
        gradient_of: logit, probability or loss of the target.
    """
    check_positive(steps=steps)
    found = integrate(task, make_baselines(task, baselines), steps, "gauss-legendre", gradient_of)
    told = facts(found, steps=steps, baselines=list(baselines))
    dense = attribution(task, found.found, base_values=found.base_values, facts=told)
    cuts = _cuts(task, segments)
    return dense._replace(values=np.stack([grown(values, cuts) for values in dense.values]))


def _cuts(task: Task, segments: Sequence[int]) -> list[Labels]:
    """Cut the picture once per wanted number of regions."""
    from agnostic.kernels.superpixels import slic

    pixels = task.sample.pixels
    if pixels is None or not segments or min(segments) < 1:
        given = ",".join(map(str, segments))
        raise UsageError(f"--segments {given}: expected a picture and numbers of regions above 0 such as 25,100,400")
    return [slic(pixels, count) for count in segments]


def grown(values: npt.NDArray[np.floating], cuts: Sequence[Labels]) -> npt.NDArray[np.float32]:
    """Give each place the mean of the region by which it is covered first, densest regions first.

    Args:
        values: (H, W) attribution.
        cuts: (H, W) label maps, each numbered from 0.
    """
    flat = [cut.ravel() for cut in cuts]
    weights = values.ravel().astype(np.float64)
    sums, sizes = [_Parts(flat, item) for item in (weights, np.ones_like(weights))]
    painted, is_open = np.zeros(len(weights), np.float32), np.ones(len(weights), np.bool_)
    least = min(_LEAST * len(weights), sizes.of.max())
    while (large := sizes.of >= max(least, 0.5)).any():
        best = int(np.argmax(np.divide(sums.of, sizes.of, out=np.full(len(sums.of), -np.inf), where=large)))
        cut, label = sums.place(best)
        covered = np.flatnonzero((flat[cut] == label) & is_open)
        painted[covered] = weights[covered].mean()
        is_open[covered] = False
        sums.take(covered)
        sizes.take(covered)
    if is_open.any():
        painted[is_open] = weights[is_open].mean()
    return painted.reshape(values.shape)


class _Parts:
    """The sum of a quantity over the uncovered part of every region of every cut, kept while places are covered."""

    def __init__(self, cuts: Sequence[Labels], weights: Floats) -> None:
        self._cuts, self._weights = cuts, weights
        counts = [int(cut.max()) + 1 for cut in cuts]
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self.of = np.concatenate([np.bincount(cut, weights) for cut in cuts])

    def place(self, region: int) -> tuple[int, int]:
        """Find the cut a region belongs to, and its label there."""
        cut = int(np.searchsorted(self._first, region, side="right")) - 1
        return cut, region - int(self._first[cut])

    def take(self, covered: npt.NDArray[np.intp]) -> None:
        """Take covered places off every region."""
        for first, cut in zip(self._first, self._cuts, strict=False):
            taken = np.bincount(cut[covered], self._weights[covered])
            self.of[first : first + len(taken)] -= taken

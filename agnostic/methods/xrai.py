"""XRAI: regions of a picture, ranked by how densely integrated gradients fall into them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agnostic.engine.autograd import GradientOf
from agnostic.errors import UsageError
from agnostic.methods._baselines import baselines as make_baselines
from agnostic.methods._gradients import attribution
from agnostic.methods._integrate import facts, integrate
from agnostic.methods.registry import Attribution, Task, check_positive, method

Labels = npt.NDArray[np.int32]

# A region counts while it still covers this share of the picture: means over slivers are noise.
_LEAST = 0.002
# Regions are widened by the longer side over this.
_WIDER = 45


@method(
    "xrai",
    needs=("gradient",),
    summary="Regions of the picture, ranked by the density of integrated gradients in them.",
    needs_plane=True,
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
    reach = max(task.sample.features.shape) // _WIDER
    return dense._replace(values=np.stack([grown(values, cuts, reach) for values in dense.values]))


def _cuts(task: Task, segments: Sequence[int]) -> list[Labels]:
    """Cut the picture once per wanted number of regions."""
    from agnostic.kernels.superpixels import slic

    pixels = task.sample.pixels
    if pixels is None or not segments or min(segments) < 1:
        given = ",".join(map(str, segments))
        raise UsageError(f"--segments {given}: expected a picture and numbers of regions above 0 such as 25,100,400")
    return [slic(pixels, count) for count in segments]


def grown(values: npt.NDArray[np.floating], cuts: Sequence[Labels], reach: int = 0) -> npt.NDArray[np.float32]:
    """Give each place the mean of the region by which it is covered first, densest regions first.

    Args:
        values: (H, W) attribution.
        cuts: (H, W) label maps, each numbered from 0.
        reach: by how many places each region is widened, so that what surrounds an edge belongs to it.
    """
    regions = np.concatenate([_widened(cut == np.arange(cut.max() + 1)[:, None, None], reach) for cut in cuts])
    regions = regions.reshape(len(regions), -1)
    weights, is_open = values.ravel().astype(np.float64), np.ones(values.size, np.bool_)
    sums, sizes = regions @ weights, regions.sum(axis=1)
    painted = np.zeros(values.size, np.float32)
    while (large := sizes > _LEAST * values.size).any():
        best = int(np.argmax(np.divide(sums, sizes, out=np.full(len(sums), -np.inf), where=large)))
        covered = np.flatnonzero(regions[best] & is_open)
        painted[covered] = weights[covered].mean()
        is_open[covered] = False
        part = regions[:, covered]
        sums, sizes = sums - part @ weights[covered], sizes - part.sum(axis=1)
    if is_open.any():
        painted[is_open] = weights[is_open].mean()
    return painted.reshape(values.shape)


def _widened(regions: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """Grow regions (n, H, W) by a square of `reach` places to each side."""
    for axis in (1, 2):
        grown = np.moveaxis(regions.copy(), axis, 0)
        still = np.moveaxis(regions, axis, 0)
        for step in range(1, reach + 1):
            grown[step:] |= still[:-step]
            grown[:-step] |= still[step:]
        regions = np.moveaxis(grown, 0, axis)
    return regions

"""RISE: the mean of random masks, weighted by the scores of what shows through them."""

from typing import Literal, NamedTuple

import numpy as np

from agnostic.engine.sweep import Rows
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.inputs.features import Keep
from agnostic.methods.registry import Attribution, Task, check_positive, method

Estimate = Literal["centred", "paper"]


@method("rise", needs=("forward",), summary="Random soft masks, weighted by the scores of what shows through them.")
def rise(
    task: Task,
    *,
    masks: int = 2000,
    cells: int = 7,
    probability: float = 0.5,
    estimate: Estimate = "centred",
) -> Attribution:
    """Weigh random masks by the scores of what shows through them (Petsiuk, Das and Saenko, BMVC 2018).

    On a picture the masks are soft blobs, enlarged from random grids; where positions do not form a grid of two axes,
    features are switched on and off. The paper's estimate is the mean of score x mask, over the probability. Every
    mask adds its part of the mean score to it, which is noise, and an offset of the scores changes the map. The centred
    estimate is the slope of the score over the mask at each position: signed, in units of the score.

    Args:
        task: the question.
        masks: how many.
        cells: length of a side of the random grid.
        probability: chance of a cell, or of a feature, to show.
        estimate: centred, or paper for the published one.
    """
    check_positive(masks=masks, cells=cells)
    if not 0 < probability < 1:
        raise UsageError(f"--probability {probability:g}: expected a number between 0 and 1")
    features = task.sample.features
    soft = features.is_plane
    sums = _soft_sums(task, masks, cells, probability) if soft else _feature_sums(task, masks, probability)
    found = sums.slopes() if estimate == "centred" else sums.scored / (masks * probability)
    maps = found.astype(np.float32)
    nowhere = np.full(len(maps), np.nan)
    facts = [{"masks": masks, "estimate": estimate}] * len(maps)
    return Attribution(maps, nowhere, None, facts) if soft else Attribution(features.paint(maps), nowhere, maps, facts)


class _Sums(NamedTuple):
    """Running sums over masks, updated in place: of score x mask, mask and mask^2 at every place, and of the scores."""

    totals: Floats  # (targets + 1, *places), of score x mask for each target, then of mask
    squared: Floats  # (1, *places)
    scores: Floats  # (targets, 1, ...)
    masks: int

    @classmethod
    def zeros(cls, targets: int, places: tuple[int, ...], count: int) -> "_Sums":
        """Start with nothing, for `count` masks."""
        places_of_one = (1,) * len(places)
        return cls(
            np.zeros((targets + 1, *places)),
            np.zeros((1, *places)),
            np.zeros((targets, *places_of_one)),
            count,
        )

    @property
    def scored(self) -> Floats:
        """Of score x mask: (targets, *places)."""
        return self.totals[:-1]

    @property
    def shown(self) -> Floats:
        """Of mask: (1, *places)."""
        return self.totals[-1:]

    def slopes(self) -> Floats:
        """Regress the scores on the mask, place by place; 0 where no two masks differ."""
        mean = self.shown / self.masks
        spread = self.squared / self.masks - mean**2
        shared = self.scored / self.masks - self.scores / self.masks * mean
        return np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 1e-9)


def _soft_sums(task: Task, count: int, cells: int, probability: float) -> _Sums:
    """Stream soft masks; they are drawn as small grids and only ever exist a batch at a time."""
    from agnostic.kernels.masks import accumulate
    from agnostic.kernels.rise import draw_cells, render

    features = task.sample.features
    drawn = draw_cells(count, cells, probability, task.seed)
    sums = _Sums.zeros(len(task.targets), features.shape, count)
    height, width = features.shape
    masks = np.empty((0, height, width), np.float32)

    def write(start: int, stop: int, rows: Rows) -> None:
        nonlocal masks
        if len(masks) != stop - start:
            masks = np.empty((stop - start, height, width), np.float32)
        render(drawn.grids[start:stop], drawn.shifts[start:stop], (height, width), masks)
        features.mix(masks, rows)

    # A block is folded before the next one is written, so the masks are still those of the block.
    for block in task.sweep(count, write):
        ones = np.ones((len(masks), 1))
        accumulate(masks, np.concatenate([block.scores, ones], axis=1), sums.totals)
        accumulate(np.square(masks, out=masks), ones, sums.squared)
        sums.scores[:] += block.scores.sum(axis=0).reshape(sums.scores.shape)
    return sums


def _feature_sums(task: Task, count: int, probability: float) -> _Sums:
    """Stream patterns of features; each is drawn from its own number, so no batch size changes it."""
    features = task.sample.features
    sums = _Sums.zeros(len(task.targets), (features.count,), count)

    def shown(start: int, stop: int) -> Keep:
        draws = [np.random.default_rng((task.seed, number)).random(features.count) for number in range(start, stop)]
        return np.stack(draws) < probability

    for block in task.sweep_patterns(count, shown):
        keep = shown(block.start, block.stop)
        sums.scored[:] += block.scores.T @ keep
        sums.shown[:] += keep.sum(axis=0)
        sums.squared[:] += keep.sum(axis=0)
        sums.scores[:] += block.scores.sum(axis=0)[:, None]
    return sums

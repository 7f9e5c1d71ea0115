"""Sobol indices: the share of the score's variance that goes away with a feature, interactions included."""

import numpy as np

from agnostic.engine.target import Floats
from agnostic.errors import UsageError, missing_extra
from agnostic.methods._switches import Switches, switches
from agnostic.methods.registry import Attribution, Task, method


@method(
    "sobol",
    needs=("forward",),
    summary="The share of the score's variance that each feature has a part in: Sobol indices.",
)
def sobol(task: Task, *, designs: int = 32, cells: int = 7) -> Attribution:
    """Estimate total Sobol indices over quasi-random masks (Fel et al., NeurIPS 2021).

    Masks change at random; the total index of a feature is the share of the score's variance that is lost when this
    feature stays and all others change, on its own and through every interaction it takes part in. It is estimated by
    Jansen's formula (Computer Physics Communications 117, 1999): for each of the designs from two independent masks,
    and the first one again with each switch of the second in turn. On a plane masks come from a scrambled Sobol
    sequence, elsewhere they are on/off patterns, balanced over the designs. An index is a share, never negative: it
    says how much a feature matters, not for or against.

    Args:
        task: the question.
        designs: how many pairs of masks, a power of two; there are (switches + 2) passes for each.
        cells: length of a side of the grid whose cells are switched, on a plane; 0 switches the features themselves.
    """
    switched = switches(task, cells)
    plan = _Plan(*_pairs(designs, switched, task.random()))
    scores = np.empty((plan.count, len(task.targets)))
    for block in switched.sweep(plan.count, plan.masks):
        scores[block.start : block.stop] = block.scores
    return switched.attribution(_jansen(scores, designs), designs=designs, passes=plan.count)


class _Plan:
    """The masks of all designs, numbered: of each the first, the second, then the first with one switch exchanged."""

    def __init__(self, first: Floats, second: Floats) -> None:
        self._first, self._second = first, second
        self._each = first.shape[1] + 2
        self.count = len(first) * self._each

    def masks(self, start: int, stop: int) -> Floats:
        """Make masks start..stop: (stop - start, switches)."""
        designs, steps = np.divmod(np.arange(start, stop), self._each)
        made = np.where(steps[:, None] == 1, self._second[designs], self._first[designs])
        exchanged = np.flatnonzero(steps > 1)
        switch = steps[exchanged] - 2
        made[exchanged, switch] = self._second[designs[exchanged], switch]
        return made


def _pairs(designs: int, switched: Switches, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw two independent masks per design: (designs, switches) each.

    Raises:
        UsageError: the number is no power of two, which leaves a Sobol sequence unbalanced; or SciPy is not installed.
    """
    if designs < 2 or designs & (designs - 1):
        raise UsageError(f"--designs {designs}: expected a power of two, from 2")
    draw = _sobol_sequence if switched.cells else _balanced
    points = draw(designs, 2 * switched.count, random)
    return points[:, : switched.count], points[:, switched.count :]


def _sobol_sequence(count: int, axes: int, random: np.random.Generator) -> Floats:
    try:
        from scipy.stats import qmc
    except ImportError:
        raise missing_extra("scipy", "summary", "sobol on a plane") from None
    points: Floats = qmc.Sobol(axes, scramble=True, rng=random).random(count)
    return points


def _balanced(count: int, axes: int, random: np.random.Generator) -> Floats:
    """Draw 0 or 1, each for half of the points, every axis in an order of its own.

    On or off is the first digit of a Sobol sequence, and so short a one has but a few different first digits: many
    switches would always be on and off together.
    """
    halves = np.repeat([0.0, 1.0], count // 2)
    return random.permuted(np.repeat(halves[:, None], axes, axis=1), axis=0)


def _jansen(scores: Floats, designs: int) -> Floats:
    """Estimate total indices, (targets, switches), of the scores of all masks in the order of the plan."""
    by_step = scores.reshape(designs, -1, scores.shape[1])
    spread = by_step[:, :2].reshape(-1, scores.shape[1]).var(axis=0)
    moved = np.square(by_step[:, 2:] - by_step[:, :1]).mean(axis=0) / 2
    indices: Floats = np.divide(moved, spread, out=np.zeros_like(moved), where=spread > 0)
    return indices.T

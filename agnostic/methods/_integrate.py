"""Gradients integrated along the straight lines from baselines to the sample, and how complete they are."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.engine.target import Floats
from agnostic.methods._gradients import Array32
from agnostic.methods.registry import Task

Quadrature = Literal["gauss-legendre", "riemann"]


class Integral(NamedTuple):
    """What each entry adds to the score on the way from the baselines, on average over them.

    Attributes:
        found: (targets, *source axes) float64.
        base_values: (targets,) the mean score of the baselines.
        errors: (targets,) how far `found` adds up to something else than the score minus its base value.
        points: how many gradients that took.
    """

    found: Floats
    base_values: Floats
    errors: Floats
    points: int


def integrate(
    task: Task, starts: Sequence[Array32], steps: int, quadrature: Quadrature, of: GradientOf = "logit"
) -> Integral:
    """Integrate the gradient along the lines from each baseline to the sample.

    Each line ends in its baseline, and the last point of all is the sample: their scores tell how complete the result
    is, in the same units as the gradient.

    Args:
        task: the question.
        starts: the baselines, (*source axes) each.
        steps: points on each line.
        quadrature: where they lie and what they weigh.
        of: logit, probability or loss of the target.
    """
    places, weights = nodes(steps, quadrature)
    places, weights = np.append(places, 0.0), np.append(weights, 0.0) / len(starts)
    count = len(starts) * len(places)
    found, ends = np.zeros((len(task.targets), *task.origin.shape)), np.zeros((count + 1, len(task.targets)))

    def write(start: int, stop: int, out: Array32) -> None:
        for row, number in enumerate(range(start, stop)):
            line, place = divmod(number, len(places))
            out[row] = task.origin if number == count else between(starts[line], task.origin, places[place])

    for block in task.gradient_sweep(count + 1, write, of=of):
        ends[block.start : block.stop] = block.found.scores
        for row, number in enumerate(range(block.start, min(block.stop, count))):
            line, place = divmod(number, len(places))
            if weights[place]:
                step = weights[place] * (task.origin.astype(np.float64) - starts[line])
                found += block.found.gradients[task.source][:, row] * step
    return closed(found, ends[-1], ends[len(places) - 1 : count : len(places)].mean(axis=0), count + 1)


def closed(found: Floats, scores: Floats, bases: Floats, points: int = 0) -> Integral:
    """Compare what was found with the difference that it is to add up to.

    Args:
        found: (targets, *source axes).
        scores: (targets,) of the sample.
        bases: (targets,) of the baseline.
        points: how many gradients it took.
    """
    total = found.reshape(len(found), -1).sum(axis=1)
    return Integral(found, bases, np.abs(total - (scores - bases)), points)


def facts(found: Integral, **others: Any) -> list[dict[str, Any]]:
    """Record, per target, how far the values are from adding up, beside other facts."""
    return [{**others, "completeness_error": float(error)} for error in found.errors]


def nodes(steps: int, quadrature: Quadrature) -> tuple[Floats, Floats]:
    """Place points in 0..1 and weigh them: (steps,) each.

    >>> nodes(2, "riemann")
    (array([0.25, 0.75]), array([0.5, 0.5]))
    """
    if quadrature == "riemann":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    places, weights = np.polynomial.legendre.leggauss(steps)
    return 0.5 * (places + 1), 0.5 * weights


def between(start: Array32, stop: Array32, place: float) -> Array32:
    """Go from `start` (place 0) to `stop` (place 1) by a part of the way."""
    between: Array32 = (start + place * (stop.astype(np.float64) - start)).astype(np.float32)
    return between

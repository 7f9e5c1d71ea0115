"""The noise loop that SmoothGrad and its kin share."""

from typing import NamedTuple

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.engine.target import Floats
from agnostic.methods._gradients import Array32, check_samples, noise_at
from agnostic.methods.registry import Task


class Moments(NamedTuple):
    """Mean and mean square of the gradient over noisy copies of the sample: (targets, *source axes) float64 each."""

    mean: Floats
    square: Floats


def over_noise(task: Task, samples: int, noise: float, of: GradientOf) -> Moments:
    """Differentiate the targets at noisy copies of what is explained.

    Args:
        task: the question.
        samples: how many copies.
        noise: its standard deviation, as a share of the largest minus the smallest value.
        of: logit, probability or loss of the target.
    """
    check_samples(samples, noise)
    scale = noise * float(np.ptp(task.origin))

    def write(start: int, stop: int, out: Array32) -> None:
        for number in range(start, stop):
            np.add(task.origin, noise_at(task, number, scale), out=out[number - start])

    mean, square = np.zeros((2, len(task.targets), *task.origin.shape))
    for block in task.gradient_sweep(samples, write, of=of):
        found = block.found.gradients[task.source].astype(np.float64)
        mean += found.sum(axis=1) / samples
        square += np.square(found).sum(axis=1) / samples
    return Moments(mean, square)


def facts(task: Task, samples: int) -> list[dict[str, int]]:
    """Record how many copies there were, per target."""
    return [{"samples": samples}] * len(task.targets)

"""Expected gradients: integrated gradients over a distribution of baselines, by chance; also called GradientSHAP."""

from collections.abc import Sequence

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.methods._baselines import baseline
from agnostic.methods._baselines import baselines as make_baselines
from agnostic.methods._gradients import Array32, attribution, check_samples, noise_at
from agnostic.methods._integrate import closed, facts
from agnostic.methods.registry import Attribution, Task, method

# Draws of each kind of baseline that tell the score from which the values start.
_DRAWS = 8


@method(
    "expected_gradients",
    needs=("gradient",),
    summary="Gradients at random places between random baselines and noisy copies of the input (GradientSHAP).",
    fill="black",
)
def expected_gradients(
    task: Task,
    *,
    samples: int = 100,
    noise: float = 0.0,
    baselines: tuple[str, ...] = ("fill", "noise"),
    gradient_of: GradientOf = "logit",
) -> Attribution:
    """Average gradient times distance over random lines (Erion et al. 2021; GradientSHAP, Lundberg & Lee 2017).

    Places are stratified: each lies in a slice of its own between baseline and input.

    Args:
        task: the question.
        samples: how many random places.
        noise: standard deviation of what is added to the input, as a share of its range; 0 keeps the values adding up.
        baselines: what to start from, in turn: fill (as --fill says), zero, noise, black, white or another fill; noise
            is drawn anew each time.
        gradient_of: logit, probability or loss of the target.
    """
    check_samples(samples, noise)
    lines = _Lines(task, baselines, samples, noise)
    draws = min(samples, _DRAWS * len(baselines)) if "noise" in baselines else len(baselines)

    def write(start: int, stop: int, out: Array32) -> None:
        for row, number in enumerate(range(start, stop)):
            if number < samples:
                out[row] = lines.point(number)
            else:
                out[row] = lines.start(number - samples) if number < samples + draws else task.origin

    found = np.zeros((len(task.targets), *task.origin.shape))
    ends = np.zeros((samples + draws + 1, len(task.targets)))
    for block in task.gradient_sweep(len(ends), write, of=gradient_of):
        ends[block.start : block.stop] = block.found.scores
        for row, number in enumerate(range(block.start, min(block.stop, samples))):
            found += block.found.gradients[task.source][:, row] * (lines.distance(number) / samples)
    done = closed(found, ends[-1], ends[samples:-1].mean(axis=0))
    told = facts(done, samples=samples, baselines=list(baselines))
    return attribution(task, found, base_values=done.base_values, facts=told)


class _Lines:
    """Numbered lines from a baseline to a noisy copy of the sample, and a random place on each."""

    def __init__(self, task: Task, kinds: Sequence[str], samples: int, noise: float) -> None:
        self._task, self._kinds = task, kinds
        self._still = make_baselines(task, kinds)
        self._slices = -(-samples // len(kinds))
        self._scale = noise * float(np.ptp(task.origin))

    def start(self, number: int) -> Array32:
        kind = number % len(self._kinds)
        return baseline(self._task, "noise", number) if self._kinds[kind] == "noise" else self._still[kind]

    def distance(self, number: int) -> Array32:
        return self._task.origin + noise_at(self._task, number, self._scale) - self.start(number)

    def point(self, number: int) -> Array32:
        random = np.random.default_rng([self._task.seed, number, 1])
        place = (number // len(self._kinds) + random.random()) / self._slices
        return self.start(number) + np.float32(place) * self.distance(number)

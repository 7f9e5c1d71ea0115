"""Baselines: what an input is compared with, as a picture fill or as numbers, at the input or at a layer."""

from collections.abc import Sequence

import numpy as np

from agnostic.errors import UsageError
from agnostic.methods._gradients import Array32
from agnostic.methods.registry import Task

# What a sample that is no picture can be compared with.
_PLAIN = ("fill", "zero", "noise")


def baselines(task: Task, kinds: Sequence[str]) -> list[Array32]:
    """Make one baseline of each kind, in the tensor that is explained: (*source axes) each.

    Raises:
        UsageError: there are none, or a kind that this sample does not have.
    """
    if not kinds:
        raise UsageError("--baselines is empty; give fill, zero, noise, black or white, several with commas between")
    return [baseline(task, kind, number) for number, kind in enumerate(kinds)]


def baseline(task: Task, kind: str, number: int = 0) -> Array32:
    """Make a baseline in the tensor that is explained.

    Args:
        task: the question.
        kind: `fill` (what the sample's features are switched to), `zero` (of that tensor itself), `noise` (uniform over
            the input's range, or over all colours), or any other fill of a picture.
        number: one more draw of the noise for each number.

    Raises:
        UsageError: this sample does not have that kind.
    """
    if kind == "zero":
        return np.zeros_like(task.origin)
    stored = np.empty((1, *task.sample.arrays[task.sample.source].shape[1:]), np.float32)
    task.sample.numbers.view(stored)[0] = _over_positions(task, kind, number)
    if task.at is None:
        held: Array32 = stored[0]
        return held
    arrays = {**task.sample.arrays, task.sample.source: stored}
    return np.ascontiguousarray(task.model.activations(arrays, task.at)[0], np.float32)


def _over_positions(task: Task, kind: str, number: int) -> Array32:
    """Make a baseline of the input: (C, *positions)."""
    features, refill = task.sample.numbers, task.sample.refill
    if kind == "fill":
        return features.fill
    seed = int(np.random.SeedSequence([task.seed, number]).generate_state(1)[0])
    if refill is not None:
        return refill(kind, seed)
    if kind not in _PLAIN:
        raise UsageError(f"--baselines {kind}: this input is no picture; expected {', '.join(_PLAIN)}")
    low, high = features.x.min(), features.x.max()
    return np.random.default_rng(seed).uniform(low, high, features.x.shape).astype(np.float32)

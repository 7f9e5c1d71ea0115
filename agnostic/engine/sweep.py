"""The perturbation loop: write a batch into one reused buffer, run it, fold it, go on.

Every perturbation method runs through here, so memory stays bounded (nothing keeps N x C x H x W), an out-of-memory
run halves its batch, and the answers do not depend on the batch size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.runtime import OutOfMemoryError, as_dtype
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import ItemError

# Larger batches are no faster on a CPU, whose caches their hidden layers leave, and cost memory.
DEFAULT_BATCH = 4

Write = Callable[[int, int, npt.NDArray[np.float32]], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Perturbation:
    """A numbered set of changed inputs.

    Attributes:
        count: how many there are.
        write: `write(start, stop, out)` writes perturbations start..stop into `out` (stop - start, *input shape)
            float32; number i is the same whatever batch it is asked for in.
        boxes: (count, axes, 2) start and stop of the region each one changes, where it is a box; what lies outside
            is untouched.
    """

    count: int
    write: Write
    boxes: npt.NDArray[np.int64] | None = None


class Block(NamedTuple):
    """The scores of perturbations start..stop: (stop - start, targets) float64."""

    start: int
    stop: int
    scores: Floats


def sweep(
    model: Model,
    arrays: Mapping[str, Array],
    source: str,
    perturbation: Perturbation,
    targets: Sequence[Target],
    *,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Block]:
    """Score every perturbation of one sample, batch by batch, in order.

    Args:
        model: the model.
        arrays: the sample: one row per input.
        source: the input that is perturbed; the others are repeated.
        perturbation: what to write into it.
        targets: what to read off.
        batch_size: rows per run; halved for good when a run asks for more memory than there is.
        progress: called with (done, count) after each batch.

    Raises:
        ItemError: a score is NaN or infinite, or a target is the same under every perturbation.
        LimitError: the deadline passed, or a single row does not fit into memory.
    """
    size = max(1, min(batch_size or DEFAULT_BATCH, perturbation.count))
    buffer = np.empty((size, *arrays[source].shape[1:]), np.float32)
    watch = _Watch(targets)
    start = 0
    while start < perturbation.count:
        if (deadline := current()) is not None:
            deadline.check()
        stop = min(start + size, perturbation.count)
        perturbation.write(start, stop, buffer[: stop - start])
        try:
            scores = model.score_feeds(_rows(model, arrays, source, buffer[: stop - start]), targets)
        except OutOfMemoryError:
            if size == 1:
                raise
            size = (size + 1) // 2
            buffer = buffer[:size].copy()
            continue
        watch.see(scores)
        yield Block(start, stop, scores)
        start = stop
        if progress is not None:
            progress(start, perturbation.count)
    watch.finish(perturbation.count)


def _rows(model: Model, arrays: Mapping[str, Array], source: str, batch: npt.NDArray[np.float32]) -> dict[str, Array]:
    rows = {
        name: value if name not in model.batched_inputs else np.repeat(value, len(batch), axis=0)
        for name, value in arrays.items()
        if name != source
    }
    rows[source] = as_dtype(batch, arrays[source].dtype)
    return rows


class _Watch:
    """Notice targets that stay the same whatever is done to the input."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._low = np.full(len(targets), np.inf)
        self._high = np.full(len(targets), -np.inf)

    def see(self, scores: Floats) -> None:
        self._low = np.minimum(self._low, scores.min(axis=0))
        self._high = np.maximum(self._high, scores.max(axis=0))

    def finish(self, count: int) -> None:
        still = self._low == self._high
        if count > 1 and still.any():
            name = self._targets[int(np.argmax(still))].name
            raise ItemError(
                f"the model's answer for {name!r} is {self._low[still][0]:.6g} whatever is changed in the input: "
                "there is nothing to explain; check the preprocessing with `agnostic inspect`"
            )

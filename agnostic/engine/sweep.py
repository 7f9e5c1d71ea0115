"""The perturbation loop: write a batch into one reused buffer, run it, fold it, go on.

Every perturbation method runs through here, so memory stays bounded (nothing keeps N x C x H x W), an out-of-memory
run halves its batch, and the answers do not depend on the batch size.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.runtime import OutOfMemoryError, as_dtype
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import ItemError

# Larger batches are no faster on a CPU, whose caches their hidden layers leave, and cost memory. Rows of a few numbers
# are no work: there the call costs more than the row, so a batch holds about this many numbers.
DEFAULT_BATCH, MOST_ROWS, NUMBERS = 4, 1024, 2**14
# A row of tokens or a text is little to write and may be much to run; more of them at once are no faster.
MOST_TOKENS = 32
# Where rows are short and the model has few weights, such as trees or a small perceptron, it may as well be so many
# rows that they make about this many products.
SHORT, MOST_SHORT_ROWS, PRODUCTS = 128, 8192, 2**22

Write = Callable[[int, int, npt.NDArray[np.float32]], None]
Rows = Mapping[str, Array]
WriteRows = Callable[[int, int, Rows], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Perturbation:
    """A numbered set of changed inputs.

    Attributes:
        count: how many there are.
        write: `write(start, stop, rows)` writes perturbations start..stop into `rows`, by input name
            (stop - start, *input shape); number i is the same whatever batch it is asked for in.
        inputs: the inputs that are written, and the type of element that they are written in.
        boxes: (count, axes, 2) start and stop of the region each one changes, where it is a box; what lies outside
            is untouched.
    """

    count: int
    write: WriteRows
    inputs: Mapping[str, npt.DTypeLike]
    boxes: npt.NDArray[np.int64] | None = None


class Block(NamedTuple):
    """The scores of perturbations start..stop: (stop - start, targets) float64."""

    start: int
    stop: int
    scores: Floats


def sweep(
    model: Model,
    arrays: Mapping[str, Array],
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
        perturbation: what to write, and into which inputs; the others are repeated.
        targets: what to read off.
        batch_size: rows per run; halved for good when a run asks for more memory than there is.
        progress: called with (done, count) after each batch.

    Raises:
        ItemError: a score is NaN or infinite, or a target is the same under every perturbation.
        LimitError: the deadline passed, or a single row does not fit into memory.
    """
    size = max(1, min(batch_size or usual_batch(arrays, perturbation.inputs, model.weight_count), perturbation.count))
    buffers = {name: np.empty((size, *arrays[name].shape[1:]), dtype) for name, dtype in perturbation.inputs.items()}
    watch = _Watch(targets)
    start = 0
    while start < perturbation.count:
        if (deadline := current()) is not None:
            deadline.check()
        stop = min(start + size, perturbation.count)
        rows = {name: buffer[: stop - start] for name, buffer in buffers.items()}
        perturbation.write(start, stop, rows)
        try:
            scores = model.score_feeds(_feeds(model, arrays, rows, stop - start), targets)
        except OutOfMemoryError:
            if size == 1:
                raise
            size = (size + 1) // 2
            buffers = {name: buffer[:size].copy() for name, buffer in buffers.items()}
            continue
        watch.see(scores)
        yield Block(start, stop, scores)
        start = stop
        if progress is not None:
            progress(start, perturbation.count)
    watch.finish(perturbation.count)


def usual_batch(arrays: Mapping[str, Array], inputs: Iterable[str], weights: int = PRODUCTS) -> int:
    """How many rows to run at once where nobody says: few large ones, or many small ones.

    Args:
        arrays: the sample: one row per input.
        inputs: those that are written.
        weights: how many numbers the model has learnt; many by default.

    >>> usual_batch({"image": np.zeros((1, 3, 224, 224))}, ["image"]), usual_batch({"row": np.zeros((1, 30))}, ["row"])
    (4, 546)
    >>> usual_batch({"row": np.zeros((1, 30))}, ["row"], weights=600)
    6990
    >>> usual_batch({"ids": np.zeros((1, 12), np.int64)}, ["ids"])
    32
    """
    written = [arrays[name] for name in inputs]
    largest = max(1, *(int(array[0].size) for array in written))
    tokens = any(array.dtype == object or (array.dtype.kind in "iu" and array[0].size > 1) for array in written)
    if tokens:
        return max(DEFAULT_BATCH, min(MOST_TOKENS, NUMBERS // largest))
    light = min(MOST_SHORT_ROWS, PRODUCTS // max(largest, weights)) if largest <= SHORT else 0
    return max(DEFAULT_BATCH, min(MOST_ROWS, NUMBERS // largest), light)


def _feeds(model: Model, arrays: Mapping[str, Array], rows: Rows, count: int) -> dict[str, Array]:
    """What the graph eats: the rows that were written, and the other inputs repeated."""
    rest = {
        name: value if name not in model.batched_inputs else np.repeat(value, count, axis=0)
        for name, value in arrays.items()
        if name not in rows
    }
    return {**rest, **{name: as_dtype(value, arrays[name].dtype) for name, value in rows.items()}}


def over_draws(blocks: Iterable[Block], draws: int) -> Iterator[Block]:
    """Average the scores of every `draws` rows that belong together, as far as they have come.

    >>> blocks = [Block(0, 3, np.array([[1.0], [3], [5]])), Block(3, 4, np.array([[7.0]]))]
    >>> [(block.start, block.stop, block.scores.tolist()) for block in over_draws(blocks, 2)]
    [(0, 1, [[2.0]]), (1, 2, [[6.0]])]
    """
    done, held = 0, np.empty((0, 0))
    for block in blocks:
        held = np.concatenate([held, block.scores]) if held.size else block.scores
        whole = len(held) // draws
        if whole:
            means = held[: whole * draws].reshape(whole, draws, -1).mean(axis=1)
            yield Block(done, done + whole, means)
            done, held = done + whole, held[whole * draws :]


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

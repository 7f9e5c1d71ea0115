"""A recorded run, read a block of samples at a time, so that its size does not matter."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import current
from agnostic.errors import InputError
from agnostic.training import store
from agnostic.training.store import Ints, Size

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
#: Scores of a block at most: 64 MB of them as float32.
BLOCK = 2**24


class Block(NamedTuple):
    """The whole history of samples start..stop.

    Attributes:
        start, stop: which samples.
        logits: (epochs, b, classes) float32, less each row's largest.
        seen: (epochs, b) whether a sample was seen in an epoch.
        labels: (b,) the assigned classes; those never seen have -1.
    """

    start: int
    stop: int
    logits: Floats
    seen: Bools
    labels: Ints

    def right(self) -> Bools:
        """Whether a sample was predicted as labelled: (epochs, b), false where it was not seen."""
        right: Bools = (self.logits.argmax(axis=2) == self.labels) & self.seen
        return right

    def probabilities(self) -> Floats:
        """The softmax of the scores: (epochs, b, classes)."""
        powers = np.exp(self.logits)
        powers /= powers.sum(axis=2, keepdims=True)
        return powers

    def margins(self) -> Floats:
        """The label's score less the largest of the other classes: (epochs, b)."""
        at = np.maximum(self.labels, 0)[None, :, None]
        others = self.logits.copy()
        np.put_along_axis(others, np.broadcast_to(at, (len(others), at.shape[1], 1)), -np.inf, axis=2)
        margins: Floats = np.take_along_axis(self.logits, at, axis=2)[..., 0] - others.max(axis=2)
        return margins


@dataclass(frozen=True)
class Run:
    """A recorded run.

    Attributes:
        path: its folder.
        size: how many samples and classes.
        epochs: how many epochs.
    """

    path: Path
    size: Size
    epochs: int

    @cached_property
    def seen_labels(self) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Each sample's label in each epoch, the number of classes where it was not seen: (epochs, n)."""
        found = np.empty((self.epochs, self.size.samples), np.min_scalar_type(self.size.classes))
        for number in range(self.epochs):
            found[number] = store.read_labels(self.path, number, self.size)
        return found

    @cached_property
    def labels(self) -> Ints:
        """The assigned class of every sample, -1 for one never seen: (n,).

        Raises:
            InputError: a sample's label is not the same in all epochs.
        """
        known = np.full(self.size.samples, -1, np.int64)
        for number, labels in enumerate(self.seen_labels):
            seen = labels < self.size.classes
            changed = np.flatnonzero(seen & (known >= 0) & (known != labels))
            if changed.size:
                raise InputError(
                    f"{self.path}: sample {changed[0]} has another label in epoch {number}; record the run again"
                )
            known[seen] = labels[seen]
        return known

    def blocks(self, most: int = BLOCK) -> Iterator[Block]:
        """Go through the samples, each with its whole history, at most `most` scores at a time."""
        width = max(1, most // (self.epochs * self.size.classes))
        for start in range(0, self.size.samples, width):
            if (deadline := current()) is not None:
                deadline.check()
            yield self.block(start, min(start + width, self.size.samples))

    def block(self, start: int, stop: int) -> Block:
        """Read the history of samples start..stop."""
        logits = np.empty((self.epochs, stop - start, self.size.classes), np.float32)
        for number in range(self.epochs):
            logits[number] = store.read_logits(self.path, number, self.size, start, stop)
        seen = self.seen_labels[:, start:stop] < self.size.classes
        return Block(start, stop, logits, seen, self.labels[start:stop])


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open what a `Recorder` has written.

    Raises:
        InputError: there is no run, an epoch is missing in between, or none is there yet.
    """
    folder = Path(path)
    size = store.read_size(folder)
    epochs = store.count_epochs(folder)
    if not epochs:
        raise InputError(f"{folder}: the run has no epoch yet; end one with rec.epoch(ids, logits, labels)")
    return Run(folder, size, epochs)

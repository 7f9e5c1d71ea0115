"""Random draws of which each picture has its own stream, so that nothing depends on how pictures are batched."""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# What a stream is for; one more use takes one more number, so that it leaves the others as they are.
CANVAS, TRANSFORMS, MEASURES = 0, 1, 2


class Draws:
    """Numbers for n pictures: row i of everything comes from the stream of picture i alone.

    Attributes:
        pictures: the number of each picture.
        progress: how much of the rendering is done, 0..1; for what changes on the way.
    """

    def __init__(self, seed: int, pictures: Sequence[int], purpose: int = CANVAS) -> None:
        """Open the streams.

        Args:
            seed: of everything.
            pictures: the number of each picture, its own whatever the others are.
            purpose: what the numbers are for; another purpose, other numbers.
        """
        self.pictures = tuple(pictures)
        self.progress = 0.0
        self._root = (seed, purpose)
        self._streams = [np.random.default_rng([seed, purpose, picture]) for picture in self.pictures]
        self._common: list[np.random.Generator] = []

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._streams)

    def bookmark(self) -> "Callable[[], Draws]":
        """Remember where the streams are: what it gives makes streams that go on from here, as often as called."""
        states = [stream.bit_generator.state for stream in (*self._streams, *self._common)]

        def again() -> "Draws":
            copied = deepcopy(self)
            # Streams that were opened later begin anew.
            del copied._common[len(states) - len(self) :]
            for stream, state in zip((*copied._streams, *copied._common), states, strict=True):
                stream.bit_generator.state = state
            return copied

        return again

    def normal(self, *shape: int) -> Tensor:
        """Draw (n, *shape) float32 from a standard normal distribution."""
        return _stacked([stream.standard_normal(shape, np.float32) for stream in self._streams])

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Draw (n, *shape) float32 evenly from low..high."""
        return _stacked([stream.uniform(low, high, shape).astype(np.float32) for stream in self._streams])

    def integers(self, high: int, *shape: int) -> Tensor:
        """Draw (n, *shape) int64 from 0..high-1."""
        return _stacked([stream.integers(high, size=shape) for stream in self._streams])

    def choice(self, values: Sequence[float]) -> Tensor:
        """Draw one of the values for each picture: (n,) float32."""
        return _stacked([np.float32(values[int(stream.integers(len(values)))]) for stream in self._streams])

    def common(self, count: int = 1) -> "Draws":
        """Give streams that belong to no picture, for what pictures share; they go on where they were left."""
        for number in range(len(self._common), count):
            # Zeros at the end change nothing in numpy's seeding: the last number keeps these apart from a picture's.
            self._common.append(np.random.default_rng([*self._root, number, 1]))
        shared = copy(self)
        shared.pictures, shared._streams = tuple(range(count)), self._common[:count]
        return shared


def _stacked(rows: Sequence[npt.ArrayLike]) -> Tensor:
    return torch.from_numpy(np.stack([np.asarray(row) for row in rows]))

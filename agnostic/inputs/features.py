"""Features: the pieces of a sample that can be switched off, whatever the sample is.

Methods see positions (a grid, or a row of entries), features (groups of positions), and three ways to change the
input; only `inputs/` knows what the positions are of. What is changed may be one input of the model or several: the
changes are written into `rows`, buffers by input name, which methods hand through without looking.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agnostic.engine.sweep import Rows
from agnostic.errors import UsageError

Array32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Keep = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Features(ABC):
    """The features of one input.

    Attributes:
        labels: (*shape) int32, the feature of each position, 0 to count - 1; count where a position belongs to none
            and is never off.
        names: one per feature.
        is_grid: whether neighbouring positions are alike.
        identities: what each feature is called in every sample, so that samples can be compared; None where the pieces
            of two samples have nothing in common.
        draws: how many ways there are to be off, such as rows of background data; the score of a pattern of features
            is the mean over these.
    """

    labels: Labels
    names: tuple[str, ...]
    is_grid: bool = False
    identities: tuple[str, ...] | None = None
    draws: int = 1

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, npt.DTypeLike]:
        """The inputs of the model that are written, and the type of element they are written in."""

    @abstractmethod
    def blend(self, keep: Keep, rows: Rows, draw: npt.NDArray[np.intp] | None = None) -> None:
        """Write inputs in which features are on or off.

        Args:
            keep: (n, count) bool, True where a feature stays.
            rows: by input name (n, *axes of the input), written in place.
            draw: (n,) which of the draws stands in where a feature is off; the first by default.
        """

    def mix(self, masks: Array32, rows: Rows) -> None:
        """Write inputs that fade into what stands in for them: mask * x + (1 - mask) * fill.

        Args:
            masks: (n, *shape) float32 in 0..1.
            rows: as for `blend`.

        Raises:
            UsageError: these positions cannot fade.
        """
        raise UsageError("this input can only be switched on and off, not faded; take lime, kernelshap or occlusion")

    def erase(self, boxes: npt.NDArray[np.int64], rows: Rows) -> None:
        """Write inputs in which every feature that a box of positions touches is off.

        Args:
            boxes: (n, len(shape), 2) start and stop along each axis.
            rows: as for `blend`.
        """
        keep = np.ones((len(boxes), self.count + 1), np.bool_)
        for row, box in enumerate(boxes):
            keep[row, self.labels[tuple(slice(start, stop) for start, stop in box)].ravel()] = False
        self.blend(keep[:, : self.count], rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """The grid of positions: (H, W) on a plane, (D,) in a row."""
        return self.labels.shape

    @property
    def is_plane(self) -> bool:
        """Whether the positions are a grid of two axes."""
        return self.is_grid and self.labels.ndim == 2

    @property
    def count(self) -> int:
        """How many features there are."""
        return len(self.names)

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many positions each feature has: (count,)."""
        return np.bincount(self.labels.ravel(), minlength=self.count)[: self.count]

    def paint(self, weights: npt.NDArray[np.floating]) -> Array32:
        """Give every position its feature's weight, 0 where it belongs to none: (..., count) to (..., *shape)."""
        padded = np.concatenate([weights, np.zeros((*np.shape(weights)[:-1], 1))], axis=-1)
        painted: Array32 = np.asarray(padded, np.float32)[..., self.labels]
        return painted

    def gather(self, values: npt.NDArray[np.floating]) -> Array32:
        """Sum what positions got over each feature: (n, *shape) to (n, count)."""
        flat, numbers = values.reshape(len(values), -1), self.labels.ravel()
        sums = [np.bincount(numbers, row.astype(np.float64), self.count + 1)[: self.count] for row in flat]
        return np.asarray(sums, np.float32)


@dataclass(frozen=True)
class _Numbers:
    """What numeric features hold beside their labels; apart, so that these have no defaults in front of them."""

    source: str
    x: Array32
    fill: Array32
    view: Callable[[Array32], Array32]


@dataclass(frozen=True)
class NumericFeatures(Features, _Numbers):
    """Features of one input that holds numbers.

    Attributes:
        source: the input.
        x: (C, *shape) float32, the input over its positions.
        fill: (C, *shape) float32, what stands in where a feature is off (the baseline); x itself where a position
            belongs to no feature.
        view: turns (n, *model axes) into a view (n, C, *shape), so that writing to it writes the model's own buffer.
    """

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if self.x.shape != self.fill.shape or self.x.shape[1:] != self.labels.shape:
            raise UsageError(
                f"features: the label map has shape {list(self.labels.shape)}, expected {list(self.x.shape[1:])}"
            )

    @property
    def inputs(self) -> Mapping[str, npt.DTypeLike]:
        """The one input; the kernels write float32."""
        return {self.source: np.float32}

    @cached_property
    def _has_rest(self) -> bool:
        return bool((self.labels == self.count).any())

    def blend(self, keep: Keep, rows: Rows, draw: npt.NDArray[np.intp] | None = None) -> None:
        """Write inputs in which features are replaced by the fill."""
        from agnostic.kernels.masks import compose

        if self._has_rest:
            keep = np.concatenate([keep, np.ones((len(keep), 1), np.bool_)], axis=1)
        compose(self.x, self.fill, self.labels, keep, self._buffer(rows))

    def mix(self, masks: Array32, rows: Rows) -> None:
        """Write inputs that fade into the fill."""
        from agnostic.kernels.masks import mix

        mix(self.x, self.fill, masks, self._buffer(rows))

    def erase(self, boxes: npt.NDArray[np.int64], rows: Rows) -> None:
        """Write inputs in which one box of positions each is replaced by the fill."""
        from agnostic.kernels.windows import occlude

        occlude(self.x, self.fill, boxes, self._buffer(rows))

    def _buffer(self, rows: Rows) -> Array32:
        buffer: Array32 = self.view(rows[self.source])  # type: ignore[arg-type]
        return buffer

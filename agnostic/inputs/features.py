"""Features: the pieces of a sample that can be switched off, whatever the sample is.

Methods see positions (a grid of pixels, a row of numbers), features (groups of positions), and three ways to change
the input; only `inputs/` knows whether the positions are a picture's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError

Array32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Features:
    """The features of one input.

    Attributes:
        x: (C, *shape) float32, the input over its positions.
        fill: (C, *shape) float32, what stands in where a feature is off (the baseline).
        labels: (*shape) int32, the feature of each position, 0 to count - 1.
        view: turns (n, *model axes) into a view (n, C, *shape), so that writing to it writes the model's own buffer.
        names: one per feature.
        is_grid: whether neighbouring positions are alike, as pixels are and table columns are not.
    """

    x: Array32
    fill: Array32
    labels: Labels
    view: Callable[[Array32], Array32]
    names: tuple[str, ...]
    is_grid: bool

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if self.x.shape != self.fill.shape or self.x.shape[1:] != self.labels.shape:
            raise UsageError(
                f"features: the label map has shape {list(self.labels.shape)}, expected {list(self.x.shape[1:])}"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """The grid of positions: (H, W) for a picture, (D,) for a vector."""
        return self.labels.shape

    @property
    def count(self) -> int:
        """How many features there are."""
        return len(self.names)

    @cached_property
    def sizes(self) -> npt.NDArray[np.int64]:
        """How many positions each feature has: (count,)."""
        return np.bincount(self.labels.ravel(), minlength=self.count)

    def blend(self, keep: npt.NDArray[np.bool_], out: Array32) -> None:
        """Write inputs in which features are on or off.

        Args:
            keep: (n, count) bool, True where a feature stays.
            out: (n, *model axes) float32, written in place.
        """
        from agnostic.kernels.masks import compose

        compose(self.x, self.fill, self.labels, keep, self.view(out))

    def mix(self, masks: Array32, out: Array32) -> None:
        """Write inputs that fade into the fill: mask * x + (1 - mask) * fill.

        Args:
            masks: (n, *shape) float32 in 0..1.
            out: (n, *model axes) float32, written in place.
        """
        from agnostic.kernels.masks import mix

        mix(self.x, self.fill, masks, self.view(out))

    def erase(self, boxes: npt.NDArray[np.int64], out: Array32) -> None:
        """Write inputs in which one box of positions is replaced by the fill.

        Args:
            boxes: (n, len(shape), 2) start and stop along each axis.
            out: (n, *model axes) float32, written in place.
        """
        from agnostic.kernels.windows import occlude

        occlude(self.x, self.fill, boxes, self.view(out))

    def paint(self, weights: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Give every position its feature's weight: (..., count) to (..., *shape)."""
        painted: npt.NDArray[np.float32] = np.asarray(weights, np.float32)[..., self.labels]
        return painted

"""What random masks switch: the cells of a coarse grid over a plane, or the features themselves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agnostic.engine.sweep import Block, Rows
from agnostic.errors import UsageError
from agnostic.inputs.features import Array32
from agnostic.methods.registry import Attribution, Task

Masks = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Switches:
    """A numbered set of switches, each of which is anything from off (0) to on (1).

    Attributes:
        task: the question.
        cells: length of a side of the grid; 0 where the features themselves are switched, which are on or off.
    """

    task: Task
    cells: int

    @property
    def count(self) -> int:
        """How many switches there are."""
        return self.cells**2 if self.cells else self.task.sample.features.count

    def sweep(self, count: int, masks: Callable[[int, int], Masks]) -> Iterator[Block]:
        """Score `count` masks: `masks(start, stop)` gives (stop - start, switches) in 0..1.

        Cells are enlarged to soft blobs that add up to one everywhere; a feature is on from one half upwards.
        """
        if not self.cells:
            return self.task.sweep_patterns(count, lambda start, stop: masks(start, stop) >= 0.5)

        def write(start: int, stop: int, rows: Rows) -> None:
            self.task.sample.features.mix(self._enlarged(masks(start, stop)), rows)

        return self.task.sweep(count, write)

    def attribution(self, found: npt.NDArray[np.floating], **facts: object) -> Attribution:
        """Bring what the switches got, (targets, switches), to the positions."""
        features, nowhere = self.task.sample.features, np.full(len(found), np.nan)
        told = [{"by": f"grid of {self.cells}" if self.cells else "features", **facts}] * len(found)
        if self.cells:
            return Attribution(self._enlarged(found), nowhere, facts=told)
        weights = found.astype(np.float32)
        return Attribution(features.paint(weights), nowhere, weights, told)

    def _enlarged(self, masks: Masks) -> Array32:
        from agnostic.kernels.resize import bilinear

        height, width = self.task.sample.features.shape
        grids = np.ascontiguousarray(masks.reshape(len(masks), self.cells, self.cells), np.float32)
        enlarged: Array32 = bilinear(grids, (height, width))
        return enlarged


def switches(task: Task, cells: int) -> Switches:
    """Take the cells of a grid where the positions form a plane, else the features.

    Raises:
        UsageError: there are no cells, or more along a side than positions.
    """
    features = task.sample.features
    if cells < 0:
        raise UsageError(f"--cells {cells}: expected a number of cells along a side, or 0 for the features")
    if not features.is_plane:
        return Switches(task, 0)
    if cells > min(features.shape):
        raise UsageError(f"--cells {cells}: expected at most {min(features.shape)}, the positions along a side")
    return Switches(task, cells)

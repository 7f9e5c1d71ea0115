"""Features of a row: columns, or groups of them, that take other rows' values when they are off.

A row may fill one input or several, of numbers and of words. Its positions are the entries of all of them, one after
another. What is off takes its value from one row of a background at a time (`draws`), and a pattern's score is the mean
over these: what the model says where a column is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agnostic.engine.sweep import Rows
from agnostic.engine.target import Array
from agnostic.errors import UsageError
from agnostic.inputs.features import Array32, Features, Keep, NumericFeatures

Draw = npt.NDArray[np.intp] | None
Boxes = npt.NDArray[np.int64]


def _no_windows() -> UsageError:
    return UsageError(
        "the columns of a table have no neighbours: windows over them mean nothing; switch off one by one"
    )


@dataclass(frozen=True)
class _Background:
    """What numeric features of a row hold beside their fill; apart, so that it has no default in front of it."""

    background: Array32


@dataclass(frozen=True)
class NumericRow(NumericFeatures, _Background):
    """Features of a row of numbers in one input.

    Attributes:
        background: (draws, D) float32, the values of columns that are off; `fill` is their mean, which stands in where
            there has to be one value, as for a baseline.
    """

    def blend(self, keep: Keep, rows: Rows, draw: Draw = None) -> None:
        """Write rows in which features take the values of background rows."""
        from agnostic.kernels.rows import switch

        chosen = np.zeros(len(keep), np.intp) if draw is None else draw
        switch(self.x[0], self.background, self.labels, keep, chosen, self._buffer(rows)[:, 0])

    def erase(self, boxes: Boxes, rows: Rows) -> None:
        """Refuse windows.

        Raises:
            UsageError: always.
        """
        raise _no_windows()


@dataclass(frozen=True)
class _Mixed:
    """What features of several inputs hold; apart, so that these have no defaults in front of them."""

    row: Mapping[str, Array]
    off: Mapping[str, Array]


@dataclass(frozen=True)
class MixedRow(Features, _Mixed):
    """Features of a row in several inputs, or in one of words.

    Attributes:
        row: by input name (1, ...), in the order of the positions.
        off: by input name (draws, ...), the values of columns that are off.
    """

    @property
    def inputs(self) -> Mapping[str, npt.DTypeLike]:
        """The inputs of the row, each of its own type."""
        return {name: values.dtype for name, values in self.row.items()}

    def blend(self, keep: Keep, rows: Rows, draw: Draw = None) -> None:
        """Write rows in which features take the values of background rows."""
        on, start = _positions(keep, self.labels), 0
        for name, values in self.row.items():
            size = values[0].size
            mine = on[:, start : start + size].reshape(len(on), *values.shape[1:])
            rows[name][:] = np.where(mine, values, self.off[name][0 if draw is None else draw])
            start += size

    def erase(self, boxes: Boxes, rows: Rows) -> None:
        """Refuse windows.

        Raises:
            UsageError: always.
        """
        raise _no_windows()


def _positions(keep: Keep, labels: npt.NDArray[np.int32]) -> Keep:
    """Spread (n, features) to the positions (n, D); what belongs to no feature stays on."""
    padded = np.concatenate([keep, np.ones((len(keep), 1), np.bool_)], axis=1)
    spread: Keep = padded[:, labels]
    return spread

"""Summary: the record of what a method found over a data set, for one target. It saves, reloads equal, draws itself."""

import csv
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError
from agnostic.explanation import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

FORMAT = "agnostic.summary.1"
Kind = Literal["attributions", "importance", "dependence"]
Array = npt.NDArray[np.generic]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Summary:
    """What a method found over a data set.

    Attributes:
        kind: what the arrays are of: `attributions` (see `summary.tally`), `importance` (`summary.permutation`) or
            `dependence` (`summary.dependence`).
        method: the method's name.
        target: what was explained, as a person calls it.
        identities: (F) what the features are called in all samples.
        arrays: by name; which ones depends on the kind.
        meta: everything needed to repeat it, and the method's own figures. Plain JSON values.
    """

    kind: Kind
    method: str
    target: str
    identities: tuple[str, ...]
    arrays: Mapping[str, Array]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Equal arrays, bit for bit, and equal records."""
        if not isinstance(other, Summary):
            return NotImplemented
        return (
            json.dumps(self._header(), sort_keys=True) == json.dumps(other._header(), sort_keys=True)
            and self.arrays.keys() == other.arrays.keys()
            and all(np.array_equal(self.arrays[name], other.arrays[name], equal_nan=True) for name in self.arrays)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Name method, target and size."""
        return f"Summary({self.method} of {self.target!r}: {len(self.identities)} features)"

    def rows(self) -> list[Row]:
        """Give the figures of each feature as a table, the one that matters most first."""
        from agnostic.summary import dependence, permutation, tally

        rows = {"attributions": tally.rows, "importance": permutation.rows, "dependence": dependence.rows}
        return rows[self.kind](self)

    def csv(self) -> str:
        """Write that table as CSV."""
        rows = self.rows()
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["feature"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        return buffer.getvalue()

    def figure(self, *, dark: bool = False, top: int | None = None) -> "Image":
        """Draw it: what matters, how much and which way.

        Args:
            dark: light on dark.
            top: how many features at most; the kind's own choice by default.
        """
        from agnostic.summary.figures import figure

        return figure(self, dark=dark, top=top)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.figure().save(buffer, "PNG")
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with the record as JSON in its header; an existing file is replaced whole.

        Raises:
            LimitError: the file cannot be written.
        """
        from safetensors.numpy import save

        arrays = {name: np.ascontiguousarray(value) for name, value in self.arrays.items()}
        write_whole(Path(path), save(arrays, {FORMAT: json.dumps(self._header(), sort_keys=True)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Summary":
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing or is no such record.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                header = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            if FORMAT not in header:
                raise InputError(f"{path}: no summary written by this package (expected {FORMAT})")
            record = json.loads(header[FORMAT])
            return cls(**{**record, "identities": tuple(record["identities"])}, arrays=arrays)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as a summary: {str(error).splitlines()[0]}") from error

    def _header(self) -> Row:
        return {
            "kind": self.kind,
            "method": self.method,
            "target": self.target,
            "identities": list(self.identities),
            "meta": dict(self.meta),
        }


def _cell(value: Any) -> Any:
    """Write a number in as many digits as a float32 has; a cell that a spreadsheet would run stays a text."""
    if isinstance(value, float):
        return f"{value:.7g}"
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value

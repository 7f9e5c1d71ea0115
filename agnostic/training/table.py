"""Rankings as files: CSV, or Parquet where pyarrow is installed; one row a sample, most suspect first."""

import csv
import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError, missing_extra
from agnostic.explanation import write_whole
from agnostic.training.ranking import Ranking
from agnostic.training.store import Ints

Columns = Mapping[str, npt.NDArray[Any]]


def columns_of(ranking: Ranking, labels: Ints, names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Lay a ranking out: rank, sample, its name where it has one, label, score, flagged, and the score's own facts."""
    order = ranking.order
    shown: dict[str, npt.NDArray[Any]] = {"rank": np.arange(len(order)), "sample": order}
    if names is not None:
        shown["name"] = np.array(names, object)[order]
    shown |= {"label": labels[order], "score": ranking.score[order], "flagged": ranking.flagged[order]}
    return shown | {name: values[order] for name, values in ranking.columns.items() if name not in shown}


def write_table(columns: Columns, path: Path) -> Path:
    """Write columns of equal length to a .csv or .parquet file, whole or not at all.

    Raises:
        UsageError: the file's name ends otherwise, or pyarrow is not installed.
        LimitError: the file cannot be written.
    """
    writers = {".csv": _csv, ".parquet": _parquet}
    if path.suffix not in writers:
        raise UsageError(f"{path.name}: expected a name that ends in .csv or .parquet")
    write_whole(path, writers[path.suffix](columns))
    return path


def _csv(columns: Columns) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(_word, values.tolist()) for values in columns.values()), strict=True))
    return text.getvalue().encode("utf-8", "replace")


def _word(value: Any) -> Any:
    """A number as it reads back; a text that a spreadsheet would take for a formula, defused."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.8g}"
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _parquet(columns: Columns) -> bytes:
    if find_spec("pyarrow") is None:
        raise missing_extra("pyarrow", "table", "a .parquet file")
    import pyarrow
    import pyarrow.parquet

    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), sink)
    return bytes(sink.getvalue())

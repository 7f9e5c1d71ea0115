"""Rows as they are given, before they mean anything: a CSV or Parquet file, a data frame, an array, a list, a mapping.

Whatever it is becomes a `Table`: names, if it has any, a number of rows, and a way to pick some of these. Cells stay as
they are; `inputs.cells` reads them. Data frames are known by what they can do, and never imported.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.errors import InputError, missing_extra
from agnostic.inputs.array import read_array

CSV, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")
SUFFIXES = (*CSV, *PARQUET)
LARGEST_FILE = 2**28
_DELIMITERS = ",;\t|"

Cells = Sequence[Any]


@dataclass(frozen=True)
class Table:
    """Rows and the names of their columns.

    Attributes:
        names: of the columns; None where what was given names none.
        count: how many rows there are.
        width: how many columns there are.
        pick: `pick(numbers)` gives these rows, in rising order of their numbers.
        origin: what a person calls it.
    """

    names: tuple[str, ...] | None
    count: int
    width: int
    pick: Callable[[Sequence[int]], list[Cells]]
    origin: str


def as_table(given: Any, origin: str = "the table", *, largest: int = LARGEST_FILE) -> Table:
    """Understand rows, whatever they come in.

    Args:
        given: a path (.csv, .tsv, .parquet, .npy), a data frame of pandas or polars, an array (n, D) or (D,), a mapping
            of names to cells or of names to columns, or a sequence of cells or of rows.
        origin: what to call it where it has no name.
        largest: bytes that a file may have.

    Raises:
        InputError: it cannot be read, is no table, or has no rows.
        UsageError: pyarrow is not installed.
    """
    if isinstance(given, str | Path):
        found = _from_file(Path(given), largest)
    elif is_frame(given):
        found = _from_frame(given)
    elif isinstance(given, Mapping):
        found = _from_mapping(given, origin)
    else:
        found = _from_sequence(given, origin)
    if not found.count:
        raise InputError(f"{found.origin}: there is no row in it; expected a header and a row for each sample")
    return found


def is_frame(given: Any) -> bool:
    """Whether this is a data frame: it has named columns, and rows by number."""
    return hasattr(given, "columns") and (hasattr(given, "iloc") or hasattr(given, "iter_rows"))


def _from_file(path: Path, largest: int) -> Table:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _from_sequence(read_array(path), path.name)
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: not a table; expected {', '.join((*SUFFIXES, '.npy'))}")
    _check_file(path, largest)
    if suffix in PARQUET:
        return _from_parquet(path)
    return _from_csv(path)


def _from_frame(frame: Any) -> Table:
    names = tuple(map(str, frame.columns))
    _check_names(names, "the data frame")

    def pick(numbers: Sequence[int]) -> list[Cells]:
        if hasattr(frame, "iloc"):
            return [list(frame.iloc[number]) for number in numbers]
        return [frame.row(number) for number in numbers]

    return Table(names, len(frame), len(names), pick, "the data frame")


def _from_mapping(given: Mapping[str, Any], origin: str) -> Table:
    names = tuple(map(str, given))
    columns = [value if _is_column(value) else [value] for value in given.values()]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise InputError(f"{origin}: columns of {min(lengths)} and of {max(lengths)} cells; expected equally many")
    count = lengths.pop() if lengths else 0
    return Table(names, count, len(names), lambda at: [[column[i] for column in columns] for i in at], origin)


def _from_sequence(given: Any, origin: str) -> Table:
    rows = list(given) if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str) else None
    if rows is None:
        raise InputError(f"got a {type(given).__name__}; expected a table, a row, or the file of one")
    if not any(_is_column(cell) or isinstance(cell, Mapping) for cell in rows):
        rows = [rows] if rows else []
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = tuple(map(str, rows[0]))
        if any(tuple(map(str, row)) != names for row in rows):
            raise InputError(f"{origin}: rows that name different columns; expected the same in each")
        rows = [list(row.values()) for row in rows]
    else:
        names = None
    width = _even_width(rows, origin)
    return Table(names, len(rows), width, lambda numbers: [rows[number] for number in numbers], origin)


def _is_column(value: Any) -> bool:
    """Whether a value is several cells: a list, an array, or a data frame's column."""
    return not isinstance(value, str | bytes | Mapping) and hasattr(value, "__len__")


def _even_width(rows: Sequence[Cells], origin: str) -> int:
    for number, row in enumerate(rows):
        if not _is_column(row) or len(row) != len(rows[0]):
            raise InputError(f"{origin}: row {number} is not as long as row 0; expected as many cells in each")
    if rows and any(_is_column(cell) for cell in rows[0]):
        raise InputError(f"{origin}: cells that are themselves lists; expected a number or a word in each")
    return len(rows[0]) if rows else 0


def _from_parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("pyarrow", "table", f"{path.name} (Parquet)") from None
    try:
        held = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    names = tuple(held.column_names)
    _check_names(names, str(path))

    def pick(numbers: Sequence[int]) -> list[Cells]:
        rows = held.take(pyarrow.array(numbers, pyarrow.int64()))
        columns = [column.to_pylist() for column in rows.columns]
        return [list(cells) for cells in zip(*columns, strict=True)]

    return Table(names, held.num_rows, len(names), pick, path.name)


def _from_csv(path: Path) -> Table:
    """Count the rows of a file in one pass, checking each, and pick some in another; none is kept in between."""
    lines = _csv_lines(path)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{path}: the file is empty; expected a header and a row for each sample")
    named = not all(_is_number(cell) for cell in first)
    if named:
        _check_names(tuple(first), str(path))
    count = sum(1 for _ in lines) + (not named)

    def pick(numbers: Sequence[int]) -> list[Cells]:
        body = islice(_csv_lines(path), int(named), None)
        wanted = set(numbers)
        return [line for number, line in enumerate(body) if number in wanted]

    names = tuple(cell.strip() for cell in first) if named else None
    return Table(names, count, len(first), pick, path.name)


def _csv_lines(path: Path) -> Iterator[list[str]]:
    """Read line by line, each as long as the first; empty ones are left out.

    Raises:
        InputError: it is no text, or no CSV, or ragged.
    """
    encoding = _encoding(path)
    try:
        with path.open(newline="", encoding=encoding) as file:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(file.readline())
            file.seek(0)
            width = 0
            for number, line in enumerate(filter(None, csv.reader(file, delimiter=delimiter, strict=True))):
                width = width or len(line)
                if len(line) != width:
                    raise InputError(
                        f"{path}: line {number + 1} has {len(line)} cells, the first one {width}; "
                        "expected as many in each"
                    )
                yield line
    except UnicodeError:
        raise InputError(f"{path}: not text in UTF-8; save it in that encoding") from None
    except (csv.Error, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV: {error}") from error


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _delimiter(line: str) -> str:
    """Tell what separates cells: of , ; tab and |, the one that makes the most of the first line.

    >>> _delimiter('"name, first";age')
    ';'
    """
    try:
        widths = [len(next(csv.reader([line], delimiter=mark), [])) for mark in _DELIMITERS]
    except csv.Error:
        return ","
    return _DELIMITERS[int(np.argmax(widths))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _check_file(path: Path, largest: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: {(error.strerror or 'cannot be read').lower()}; expected a table") from error
    if not path.is_file():
        raise InputError(f"{path}: a folder; expected the file of a table")
    if size > largest:
        raise InputError(f"{path}: larger than {largest >> 20} MB; cut out the rows that matter")


def _check_names(names: tuple[str, ...], origin: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{origin}: two columns are called {twice[0]!r}; rename one")

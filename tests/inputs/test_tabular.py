"""Tables from every form they come in; the reference is what was written down."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest

from agnostic.errors import InputError, UsageError
from agnostic.inputs.tabular import as_table

NAMES = ("age", "sex", "fare")
ROWS = [[22.0, "male", 7.25], [38.0, "female", 71.5], [26.0, "female", 8.0]]
COLUMNS = {name: [row[at] for row in ROWS] for at, name in enumerate(NAMES)}
TEXT = "age,sex,fare\n22.0,male,7.25\n38.0,female,71.5\n26.0,female,8.0\n"


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(folder: Path) -> Path:
    pandas.DataFrame(COLUMNS).to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


@pytest.mark.parametrize(
    "make",
    [
        parquet,
        lambda _: pandas.DataFrame(COLUMNS),
        lambda _: polars.DataFrame(COLUMNS),
        lambda _: COLUMNS,
        lambda _: [dict(zip(NAMES, row, strict=True)) for row in ROWS],
    ],
    ids=["parquet", "pandas", "polars", "columns", "rows"],
)
def test_whatever_names_its_columns_gives_the_same_cells(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    table = as_table(make(tmp_path))
    assert (table.names, table.count, table.width) == (NAMES, 3, 3)
    assert [list(row) for row in table.pick([0, 2])] == [ROWS[0], ROWS[2]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", TEXT),
        ("windows.csv", TEXT.replace("\n", "\r\n")),
        ("semicolons.csv", TEXT.replace(",", ";")),
        ("tabs.tsv", TEXT.replace(",", "\t")),
        ("quoted.csv", TEXT.replace("male", '"male"').replace('fe"male"', '"female"')),
        ("empty_lines.csv", TEXT.replace("\n", "\n\n")),
        ("marked.csv", b"\xef\xbb\xbf" + TEXT.encode()),
        ("wide.csv", TEXT.encode("utf-16")),
    ],
)
def test_csv_in_the_ways_that_programs_write_it(tmp_path: Path, name: str, content: str | bytes) -> None:
    table = as_table(written(tmp_path, name, content))
    assert (table.names, table.count, table.origin) == (NAMES, 3, name)
    assert table.pick([0, 2]) == [["22.0", "male", "7.25"], ["26.0", "female", "8.0"]]


def test_quoted_cells_hold_what_else_would_end_them(tmp_path: Path) -> None:
    table = as_table(written(tmp_path, "q.csv", 'name,"note, long"\n"A ""b""","two\nlines"\n'))
    assert table.names == ("name", "note, long")
    assert table.pick([0]) == [['A "b"', "two\nlines"]]


def test_a_first_line_of_numbers_is_a_row(tmp_path: Path) -> None:
    table = as_table(written(tmp_path, "bare.csv", "1,2\n3,4\n"))
    assert (table.names, table.count, table.pick([0, 1])) == (None, 2, [["1", "2"], ["3", "4"]])


@pytest.mark.parametrize(
    ("given", "count", "width"),
    [
        ([1, 2, 3], 1, 3),
        ([[1, 2, 3], [4, 5, 6]], 2, 3),
        (np.zeros(4), 1, 4),
        (np.zeros((5, 2)), 5, 2),
        ({"a": 1}, 1, 1),
    ],
)
def test_sequences_are_rows_or_one_row(given: Any, count: int, width: int) -> None:
    table = as_table(given)
    assert (table.count, table.width) == (count, width)
    assert len(table.pick([count - 1])[0]) == width


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = written(tmp_path, "long.csv", "a,b\n" + "1.5,some words\n" * 200_000)
    tracemalloc.start()
    table = as_table(path)
    picked = table.pick([199_999])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (table.count, picked) == (200_000, [["1.5", "some words"]])
    assert peak < 2**20  # the file has 3 MB, its cells as strings some 40


BAD = [
    ("empty.csv", "", "the file is empty"),
    ("header.csv", "a,b\n", "there is no row in it"),
    ("ragged.csv", "a,b\n1,2\n1,2,3\n", "line 3 has 3 cells, the first one 2"),
    ("twice.csv", "a,a\n1,2\n", "two columns are called 'a'"),
    ("latin.csv", "a,b\ncaf\xe9,1\n".encode("latin-1"), "not text in UTF-8"),
    ("nul.csv", b"a,b\n1,\x00\n", None),
    ("quote.csv", 'a,b\n"1,2\n', "cannot be read as CSV"),
    ("field.csv", "a,b\n1," + "x" * 200_000 + "\n", "cannot be read as CSV: field larger"),
    ("not.parquet", b"PAR1 and then nothing", "cannot be read as Parquet"),
    ("rows.xlsx", b"PK", "not a table; expected .csv"),
]


@pytest.mark.parametrize(("name", "content", "says"), BAD, ids=[row[0] for row in BAD])
def test_files_that_are_no_tables_are_refused(
    tmp_path: Path, name: str, content: str | bytes, says: str | None
) -> None:
    path = written(tmp_path, name, content)
    if says is None:
        # A zero byte is a character like any other to the csv module: the cell is then no number.
        assert as_table(path).pick([0]) == [["1", "\x00"]]
        return
    with pytest.raises(InputError, match=says):
        as_table(path)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"a": [1, 2], "b": [1]}, "columns of 1 and of 2 cells"),
        ([[1, 2], [3]], "row 1 is not as long as row 0"),
        ([{"a": 1}, {"b": 1}], "name different columns"),
        (np.zeros((2, 2, 2)), "cells that are themselves lists"),
        ([], "there is no row in it"),
        (7, "got a int; expected a table"),
    ],
)
def test_things_that_are_no_tables_are_refused(given: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        as_table(given)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or directory; expected a table"):
        as_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="a folder"):
        as_table(tmp_path / "folder.csv")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(2**28 + 1)
    with pytest.raises(InputError, match="larger than 256 MB"):
        as_table(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'agnostic-xai\[table\]'"):
        as_table(path)

"""Rankings as files: what is read back is what was ranked, and no spreadsheet takes a name for a formula."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

from agnostic.errors import LimitError, UsageError
from agnostic.training.ranking import Ranking
from agnostic.training.table import columns_of, write_table

SCORE = np.array([0.25, np.inf, np.nan, 1 / 3])
RANKING = Ranking(
    "tidy", SCORE, np.array([1, 3, 0]), np.array([False, True, False, False]), columns={"seen": np.array([4, 4, 0, 3])}
)
LABELS = np.array([2, 0, -1, 1])


def test_rows_come_most_suspect_first(tmp_path: Path) -> None:
    path = write_table(columns_of(RANKING, LABELS, ("a", "=1+1", "c", "-d")), tmp_path / "t.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sample"] for row in rows] == ["1", "3", "0"]
    assert [row["name"] for row in rows] == ["'=1+1", "'-d", "a"]
    assert [(row["rank"], row["label"], row["flagged"], row["seen"]) for row in rows] == [
        ("0", "0", "1", "4"), ("1", "1", "0", "3"), ("2", "2", "0", "4"),
    ]  # fmt: skip
    np.testing.assert_allclose([float(row["score"]) for row in rows], [np.inf, 1 / 3, 0.25], rtol=1e-7)


def test_parquet_keeps_types(tmp_path: Path) -> None:
    table = parquet.read_table(write_table(columns_of(RANKING, LABELS), tmp_path / "t.parquet"))
    assert table["score"].to_pylist() == [np.inf, 1 / 3, 0.25] and table["flagged"].to_pylist() == [True, False, False]


def test_what_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"ends in \.csv or \.parquet"):
        write_table({}, tmp_path / "t.xls")
    with pytest.raises(LimitError, match="cannot be written"):
        write_table({"a": np.arange(2)}, tmp_path / "none" / "t.csv")
    monkeypatch.setattr("agnostic.training.table.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'agnostic-xai\[table\]'"):
        write_table({"a": np.arange(2)}, tmp_path / "t.parquet")

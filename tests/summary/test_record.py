import csv
import io

import numpy as np
import pytest

from agnostic import Summary
from agnostic.errors import InputError


def test_what_is_saved_loads_equal(summary, tmp_path):
    summary.save(tmp_path / "s.safetensors")
    loaded = Summary.load(tmp_path / "s.safetensors")
    assert loaded == summary
    assert loaded.rows() == summary.rows()
    assert repr(loaded) == "Summary(kernelshap of 'class 0': 3 features)"


def test_it_says_what_it_takes_to_repeat_it(summary):
    assert summary.meta["settings"] == {"samples": None}
    assert len(summary.meta["model_sha256"]) == 64
    assert summary.meta["samples"][:2] == ["array row 0", "array row 1"]


def test_the_table_as_csv_holds_the_same(summary):
    read = list(csv.DictReader(io.StringIO(summary.csv())))
    assert [row["feature"] for row in read] == [row["feature"] for row in summary.rows()]
    np.testing.assert_allclose([float(row["size"]) for row in read], [row["size"] for row in summary.rows()], rtol=1e-6)


def test_a_name_that_a_spreadsheet_would_run_stays_a_text():
    arrays = {
        "sample": np.zeros(1, np.int32),
        "feature": np.zeros(1, np.int32),
        "weight": np.ones(1, np.float32),
        "value": np.ones(1, np.float32),
        "score": np.ones(1),
    }
    written = Summary("attributions", "lime", "t", ('=HYPERLINK("http://x")',), arrays).csv()
    assert "'=HYPERLINK" in written


@pytest.mark.parametrize("content", [b"", b"not a record", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="summary"):
        Summary.load(tmp_path / "x.safetensors")

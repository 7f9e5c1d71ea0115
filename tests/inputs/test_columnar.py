"""What is written where columns are off, against plain indexing."""

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.columnar import MixedRow, NumericRow

BOX = np.array([[[0, 2]]])


@pytest.fixture
def numeric(rng: np.random.Generator) -> NumericRow:
    x, background = rng.normal(size=(1, 5)).astype(np.float32), rng.normal(size=(3, 5)).astype(np.float32)
    return NumericRow(
        source="x", x=x, fill=background.mean(0, keepdims=True), view=lambda out: out.reshape(len(out), 1, -1),
        background=background, labels=np.array([0, 1, 1, 2, 3], np.int32), names=("a", "b", "c"), draws=3,
    )  # fmt: skip


def test_columns_that_are_off_take_the_drawn_rows_values(numeric: NumericRow, rng: np.random.Generator) -> None:
    keep, draw = rng.random((20, 3)) < 0.5, rng.integers(0, 3, 20)
    out = np.empty((20, 5), np.float32)
    numeric.blend(keep, {"x": out}, draw)
    for row in range(20):
        on = [keep[row, 0], keep[row, 1], keep[row, 1], keep[row, 2], True]  # the last belongs to no feature
        np.testing.assert_array_equal(out[row], np.where(on, numeric.x[0], numeric.background[draw[row]]))


def test_the_first_row_is_drawn_where_nobody_says(numeric: NumericRow) -> None:
    out = np.empty((1, 5), np.float32)
    numeric.blend(np.zeros((1, 3), np.bool_), {"x": out})
    np.testing.assert_array_equal(out[0, :4], numeric.background[0, :4])


def test_inputs_of_several_types_are_written_side_by_side() -> None:
    row = {"age": np.array([[30.5]]), "who": np.array([["me", "you"]], object), "n": np.array([[7]])}
    off = {
        "age": np.array([[1.0], [2.0]]),
        "who": np.array([["a", "b"], ["c", "d"]], object),
        "n": np.array([[0], [1]]),
    }
    features = MixedRow(row=row, off=off, labels=np.array([0, 1, 1, 2], np.int32), names=("age", "who", "n"), draws=2)
    assert {name: np.dtype(kind).kind for name, kind in features.inputs.items()} == {"age": "f", "who": "O", "n": "i"}
    rows = {name: np.empty((2, *values.shape[1:]), values.dtype) for name, values in row.items()}
    features.blend(np.array([[True, False, True], [False, True, False]]), rows, np.array([1, 0]))
    assert {name: values.tolist() for name, values in rows.items()} == {
        "age": [[30.5], [1.0]],
        "who": [["c", "d"], ["me", "you"]],
        "n": [[7], [0]],
    }
    with pytest.raises(UsageError, match="columns of a table have no neighbours"):
        features.erase(BOX, rows)


def test_windows_over_columns_are_refused(numeric: NumericRow) -> None:
    with pytest.raises(UsageError, match="columns of a table have no neighbours"):
        numeric.erase(BOX, {"x": np.empty((1, 5), np.float32)})

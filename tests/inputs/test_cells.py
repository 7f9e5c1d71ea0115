import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import pytest

from agnostic.engine.model import Model
from agnostic.errors import InputError
from agnostic.inputs.cells import decode, encode, is_missing, match, told
from agnostic.inputs.columns import Columns, columns_of
from agnostic.inputs.tabular import as_table

Open = Callable[..., Model]
COLUMNS = [
    {"name": "age"},
    {"name": "size", "categories": ["S", "M", "L"]},
    {"name": "colour", "categories": ["red", "blue"], "index": [3, 2]},
]
TEXT = "g (float[n,4] x) => (float[n,4] y) { y = Identity(x) }"
MIXED = (
    "g (double[n,1] age, string[n,1] sex, uint8[n,1] class, bool[n,1] alone) => (double[n,1] y) { y = Identity(age) }"
)


@pytest.fixture
def model(opened: Open) -> Model:
    return opened(TEXT, metadata={"agnostic.table": json.dumps({"columns": COLUMNS})})


@pytest.fixture
def columns(model: Model) -> Columns:
    return columns_of(model, None, 3)


def test_numbers_and_codes_land_in_their_entries(model: Model, columns: Columns) -> None:
    rows = [["3.5", "L", "red"], [4, "S", "blue"]]
    found = encode(model, columns, rows, [0, 1], "t.csv")
    np.testing.assert_array_equal(found["x"], np.array([[3.5, 2, 0, 1], [4, 0, 1, 0]], np.float32))
    assert found["x"].dtype == np.float32
    assert [decode(columns, row, "t") for row in found["x"]] == [[3.5, "L", "red"], [4.0, "S", "blue"]]


def test_every_input_gets_its_own_type(opened: Open) -> None:
    model = opened(MIXED)
    found = encode(model, columns_of(model, None, 4), [["0.1", " male ", "3", "True"]], [0], "t.csv")
    assert {name: (values.dtype.kind, values.shape) for name, values in found.items()} == {
        "age": ("f", (1, 1)),
        "sex": ("O", (1, 1)),
        "class": ("u", (1, 1)),
        "alone": ("b", (1, 1)),
    }
    assert (found["age"][0, 0], found["sex"][0, 0], found["class"][0, 0], found["alone"][0, 0]) == (
        0.1,
        "male",
        3,
        True,
    )


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (["old", "S", "red"], "row 7, column 'age': 'old' is no number; expected a number"),
        (["3,5", "S", "red"], "'3,5' is no number; write 3.5: a comma is no decimal point here"),
        (["1_000", "S", "red"], "'1_000' is no number"),
        (["inf", "S", "red"], "is not finite"),
        (["1e39", "S", "red"], "too large for an input of float32"),
        (["", "S", "red"], "column 'age': the cell is empty; fill it in, or allow it with missing = true"),
        ([float("nan"), "S", "red"], "the cell is empty"),
        (["1", "XL", "red"], "column 'size': unknown category 'XL'; expected 'L'"),
        (["1", "S", "green"], "unknown category 'green'; expected 'red'"),
        (["1", "S", "\x00"], "unknown category"),
    ],
)
def test_cells_that_do_not_fit_say_where_they_are(model: Model, columns: Columns, row: list[Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        encode(model, columns, [row], [7], "t.csv")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (["1", "m", "3.5", "0"], "3.5 does not fit an input of uint8"),
        (["1", "m", "256", "0"], "256 does not fit an input of uint8"),
        (["1", "m", "1", "2"], "2 is neither true nor false"),
    ],
)
def test_integers_are_not_rounded(opened: Open, row: list[str], says: str) -> None:
    model = opened(MIXED)
    with pytest.raises(InputError, match=says):
        encode(model, columns_of(model, None, 4), [row], [0], "t.csv")


def test_missing_cells_are_nan_zeros_or_the_empty_word_where_they_are_allowed(opened: Open) -> None:
    section = {"columns": COLUMNS, "missing": True}
    model = opened(TEXT, metadata={"agnostic.table": json.dumps(section)})
    found = encode(model, columns_of(model, None, 3), [["", None, "n/a"]], [0], "t.csv")["x"]
    np.testing.assert_array_equal(found, [[np.nan, np.nan, 0, 0]])
    np.testing.assert_array_equal(model.run(found)["y"], found)
    assert decode(columns_of(model, None, 3), found[0], "t")[1:] == [None, None]


def test_an_array_for_a_model_that_allows_no_gaps_may_hold_none(model: Model) -> None:
    with pytest.raises(InputError, match="NaN or infinite"):
        model.run(np.array([[np.nan, 0, 0, 1]], np.float32))


@pytest.mark.parametrize("row", [[1, 3, 0, 1], [1, 0.5, 0, 1], [1, 0, 1, 1], [1, 0, 0.5, 0]])
def test_codes_of_no_category_are_refused(columns: Columns, row: list[float]) -> None:
    with pytest.raises(InputError, match="is no code of a category"):
        decode(columns, row, "row 0")


def test_columns_are_matched_by_name_in_any_order_and_others_are_named(columns: Columns) -> None:
    found = match(columns, as_table({"colour": ["red"], "label": [1], "size": ["S"], "age": [3]}, "t.csv"))
    assert found.places == (3, 2, 0)
    assert found.notes == ("t.csv: the model does not eat 'label'",)


def test_names_that_converters_spell_otherwise_match(opened: Open) -> None:
    model = opened(TEXT, metadata={"agnostic.table": json.dumps({"columns": ["mean_radius", "b", "c", "d"]})})
    found = match(columns_of(model, None, 4), as_table({"mean radius": [1], "B": [2], "c": [3], "d": [4]}))
    assert found.places == (0, 1, 2, 3)


def test_a_missing_column_offers_the_nearest(columns: Columns) -> None:
    with pytest.raises(InputError, match="the column 'colour' is missing; the nearest are 'color'"):
        match(columns, as_table({"age": [1], "size": ["S"], "color": ["red"]}, "t.csv"))


def test_without_names_position_counts_where_the_counts_agree(columns: Columns) -> None:
    assert match(columns, as_table([[1, "S", "red"]], "t.npy")).places == (0, 1, 2)
    with pytest.raises(InputError, match="2 columns without names, the model eats 3"):
        match(columns, as_table([[1, "S"]], "t.npy"))


def test_gaps_of_every_library() -> None:
    assert all(map(is_missing, [None, "", "NaN", np.nan, np.float32("nan"), pandas.NA, pandas.NaT]))
    assert not any(map(is_missing, [0, "0", False, "x"]))


def test_cells_are_told_short() -> None:
    cells = [17.990000001, "1e-12", "a" * 50, None, True, np.float32(0.1), 12345678]
    assert [told(cell) for cell in cells] == ["17.99", "1e-12", "a" * 39 + "…", "missing", "True", "0.1", "12345678"]

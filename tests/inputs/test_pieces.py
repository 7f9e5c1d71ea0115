from typing import Any

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.columns import Column, Columns
from agnostic.inputs.pieces import edges_of, outside, pieces

NAMES = "abcd"
COLUMNS = Columns(
    tuple(Column(name, "number", "x", (at,)) for at, name in enumerate(NAMES)), {"both": ("b", "d")}, False, True
)
NO_GROUPS = Columns(COLUMNS.columns, {}, False, True)


@pytest.mark.parametrize(
    ("features", "of", "names"),
    [
        (None, [0, 1, 2, 3], tuple(NAMES)),
        ("columns", [0, 1, 2, 3], tuple(NAMES)),
        ("groups", [0, 1, 2, 1], ("a", "both", "c")),
        (np.array([1, 0, 0, 1]), [1, 0, 0, 1], ("b + c", "a + d")),
        ("bins", [0, 1, 2, 3], tuple(NAMES)),
    ],
)
def test_columns_are_put_together(features: Any, of: list[int], names: tuple[str, ...]) -> None:
    found = pieces(features, COLUMNS)
    assert (found.of.tolist(), found.names, found.identities) == (of, names, names)
    assert found.bins == (4 if isinstance(features, str) and features == "bins" else 0)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ("column", "did you mean 'columns'"),
        ("superpixels:9", "of a table: columns, groups or bins"),
        ("bins:1", "N from 2 to 100"),
        ("bins:x", "N from 2 to 100"),
        ("groups", "the model declares none"),
        (np.array([0, 1]), "one whole number for each of 4 columns"),
        (np.array([0, 2, 2, 0]), "without gaps"),
        (np.array([0.0, 1, 2, 3]), "one whole number"),
    ],
)
def test_what_cannot_be_is_refused(features: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        pieces(features, NO_GROUPS)


def test_bins_hold_equally_many_values(rng: np.random.Generator) -> None:
    values = rng.exponential(size=400)
    bins = np.searchsorted(edges_of(values, 4), values)
    assert np.bincount(bins).tolist() == [100] * 4
    assert edges_of(np.ones(9), 4).size == 1  # one value has one border, and nothing beyond it


def test_what_stands_in_lies_in_another_bin_wherever_one_does(rng: np.random.Generator) -> None:
    values, edges = rng.normal(size=60), np.array([-0.5, 0.0, 0.8])
    for row in (-2.0, -0.2, 0.3, 1.5):
        taken = values[outside(row, values, edges)]
        assert (np.searchsorted(edges, taken) != np.searchsorted(edges, row)).all()
        free = np.searchsorted(edges, values) != np.searchsorted(edges, row)
        np.testing.assert_array_equal(taken[free], values[free])  # rows that were outside keep their own
    assert outside(1.0, np.ones(3), np.array([2.0])).tolist() == [0, 1, 2]

import numpy as np
import pytest

import agnostic
from agnostic.errors import UsageError
from agnostic.summary.columns import columns_of
from agnostic.summary.registry import DataSet, get_global


def test_the_mean_curve_of_an_additive_model_is_its_term_and_a_constant(additive, table):
    found = agnostic.summarize(additive, table, "pdp", 0, points=200).summaries[0]
    a, b = table[:, 0].astype(np.float64), table[:, 1].astype(np.float64)
    np.testing.assert_allclose(found.arrays["grid"][0], np.sort(a), rtol=1e-6)
    np.testing.assert_allclose(found.arrays["mean"][0], 2 * np.sort(a) - (b**2).mean() + 3, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.arrays["mean"][1], 2 * a.mean() - np.sort(b) ** 2 + 3, rtol=1e-4, atol=1e-4)
    assert "curves" not in found.arrays


def test_single_curves_show_what_their_mean_hides(crossed, table):
    found = agnostic.summarize(crossed, table, "ice", 0).summaries[0]
    grid, curves = found.arrays["grid"][0], found.arrays["curves"][0].astype(np.float64)
    slopes = (curves[:, -1] - curves[:, 0]) / (grid[-1] - grid[0])
    np.testing.assert_allclose(slopes, table[:, 1], atol=1e-5)
    np.testing.assert_allclose(found.arrays["mean"][0], curves.mean(axis=0), atol=1e-6)


def test_centred_curves_start_at_zero(crossed, table):
    found = agnostic.summarize(crossed, table, "ice", 0, centred=True, only=("feature 0",)).summaries[0]
    assert found.identities == ("feature 0",)
    np.testing.assert_allclose(found.arrays["curves"][0, :, 0], 0)
    steps = found.arrays["grid"][0] - found.arrays["grid"][0, 0]
    expected = np.outer(table[:, 1], steps)
    np.testing.assert_allclose(found.arrays["curves"][0], expected, atol=1e-5)


def test_values_are_spread_over_the_ranks(additive):
    skewed = np.zeros((1000, 3), np.float32)
    skewed[:, 0] = np.exp(np.linspace(0, 8, 1000))
    skewed[:, 1] = np.linspace(0, 1, 1000)
    grid = (
        agnostic.summarize(additive, skewed, "pdp", 0, points=9, rows=20, only=("feature 0",))
        .summaries[0]
        .arrays["grid"][0]
    )
    np.testing.assert_allclose(np.log(grid), np.linspace(0, 8, 9), atol=0.02)


def test_values_that_are_no_numbers_are_categories(named, additive, table):
    samples = named(
        additive, np.column_stack([np.zeros((60, 2)), table[:, 2]]).astype(np.float32), words=lambda v: f"kind {v:.0f}"
    )
    columns = columns_of(additive, samples)
    found = get_global("pdp").function(DataSet(columns, (additive.target(0),)), only=("code",))[0]
    assert found.meta["categories"] == {"code": ["kind 0", "kind 1", "kind 2"]}
    assert [row["value"] for row in found.rows()] == ["kind 0", "kind 1", "kind 2"]
    np.testing.assert_allclose(found.arrays["mean"], 3)


def test_no_more_rows_than_wanted_are_moved(additive, table):
    before = additive.evaluations
    found = agnostic.summarize(additive, table, "pdp", 0, rows=10, points=5, only=("feature 1",)).summaries[0]
    assert found.arrays["own"].shape == (1, 10)
    assert additive.evaluations - before <= 50 + 60


def test_features_whose_curves_move_come_first(additive, table):
    rows = agnostic.summarize(additive, table, "pdp", 0).summaries[0].rows()
    assert list(dict.fromkeys(row["feature"] for row in rows)) == ["feature 0", "feature 1", "feature 2"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"points": 1}, "expected a number above 0"),
        ({"rows": 0}, "--rows 0: expected"),
        ({"only": ("featur 1",)}, "unknown feature 'featur 1'; did you mean"),
        ({"centred": True}, "unknown option of pdp 'centred'"),
    ],
)
def test_what_makes_no_sense_is_refused(additive, table, options, said):
    with pytest.raises(UsageError, match=said):
        agnostic.summarize(additive, table, "pdp", 0, **options)

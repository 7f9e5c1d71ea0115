from dataclasses import replace

import numpy as np
import pytest

from agnostic.blocks import attribute, class_factors, top_units, totals
from agnostic.blocks.attribution import LayerAttribution
from agnostic.errors import ItemError, UsageError


def made(values, target="t"):
    values = np.asarray(values, np.float32)
    return LayerAttribution("layer", target, values, float(values.sum()) + 1, 1.0, "path", 1)


def test_the_units_at_both_ends_are_found():
    found = made(np.array([1, -5, 3, 0, -2.0]).reshape(5, 1, 1))
    assert top_units(found, 3).units.tolist() == [1, 2, 4]
    assert top_units(found, 3).values.tolist() == [-5, 3, -2]
    assert top_units(found, 3, "for").units.tolist() == [2, 0]
    assert top_units(found, 3, "against").units.tolist() == [1, 4]
    assert top_units(found, 1).largest == 5


def test_totals_compare_the_sum_with_the_rise(smooth, on_smooth):
    found = attribute(smooth, on_smooth, "late", [0, 1])
    told = totals(found)
    assert list(told) == [item.target for item in found]
    for item in found:
        row = told[item.target]
        assert row["sum"] == pytest.approx(item.values.sum(), rel=1e-5)
        assert row["true"] == item.score - item.base
        assert row["completeness"] == pytest.approx(row["sum"] / row["true"])


def test_classes_that_look_at_two_places_have_two_maps():
    left, right = np.zeros((1, 2, 3)), np.zeros((1, 2, 3))
    left[0, :, 0], right[0, :, 2] = 2, 4
    found = class_factors([made(left, "a"), made(right, "b"), made(left + right, "c"), made(-left, "d")])
    assert found.maps.shape == (2, 2, 3) and found.explained > 0.999
    order = found.maps[:, 0, 0].argsort()[::-1]
    np.testing.assert_allclose(found.maps[order], [left[0] / 2, right[0] / 4], atol=0.01)
    np.testing.assert_allclose(found.to_classes[order], [[2, 0, 2, 0], [0, 4, 4, 0]], atol=0.05)


def test_errors():
    item = made(np.ones((1, 2, 2)))
    with pytest.raises(UsageError, match="sign='plus'"):
        top_units(item, 3, "plus")
    with pytest.raises(UsageError, match="one layer"):
        class_factors([item, replace(item, layer="other")])
    with pytest.raises(ItemError, match="speaks for"):
        class_factors([made(-np.ones((1, 2, 2)))] * 2)
    with pytest.raises(UsageError, match=r"expected \[C, h, w\]"):
        made(np.ones((2, 2)))

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.methods.xrai import grown


def test_the_densest_region_comes_first_and_the_rest_keeps_what_is_left():
    values = np.zeros((4, 8))
    values[:, :2], values[:, 2:4] = 4, 1
    halves = np.repeat([[0] * 4 + [1] * 4], 4, axis=0)
    quarters = np.repeat([[0, 0, 1, 1, 2, 2, 3, 3]], 4, axis=0)
    found = grown(values, [halves, quarters])
    np.testing.assert_array_equal(found[0], [4, 4, 1, 1, 0, 0, 0, 0])
    # With halves alone the dense quarter is spread over its half.
    np.testing.assert_array_equal(grown(values, [halves])[0], [2.5] * 4 + [0] * 4)


def test_nothing_is_lost_or_made_up(rng):
    values = rng.normal(size=(20, 30))
    cuts = [rng.integers(0, count, (20, 30)) for count in (3, 10, 40)]
    for reach in (0, 2):
        np.testing.assert_allclose(grown(values, cuts, reach).sum(), values.sum(), atol=1e-3)


def test_widened_regions_take_what_surrounds_them():
    values = np.zeros((1, 9))
    values[0, 3:6] = 6
    cut = np.array([[0, 0, 0, 0, 1, 2, 2, 2, 2]])
    np.testing.assert_array_equal(grown(values, [cut], reach=1)[0, 3:6], [6, 6, 6])


def test_the_map_lies_where_the_score_looks(two_patches, patches_picture, explain):
    found = explain("xrai", two_patches, patches_picture, (0, 1), steps=4, baselines=("black",), segments=(4, 9, 16))
    for target, place in enumerate((slice(4, 12), slice(20, 28))):
        inside = np.zeros((32, 32), bool)
        inside[place, place] = True
        assert found.values[target][inside].mean() > 2 * abs(found.values[target][~inside].mean())


def test_regions_need_a_picture_and_numbers(two_patches, patches_picture, explain):
    with pytest.raises(UsageError, match="--segments"):
        explain("xrai", two_patches, patches_picture, steps=2, segments=(0,))

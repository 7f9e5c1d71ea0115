import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.array import array_sample


@pytest.fixture
def coefficients():
    return np.array([[2.0, 0.0], [-1.0, 1.0], [0.5, 4.0], [0.0, -3.0]])


@pytest.mark.parametrize("settings", [{}, {"by": "segments"}, {"by": "windows"}, {"window": 1, "stride": (1,)}])
def test_linear_coefficients_are_recovered(linear, explain, coefficients, settings):
    x = np.array([1.0, 2.0, -1.0, 3.0], np.float32)
    found = explain("occlusion", linear(coefficients), x, (0, 1), **settings)
    np.testing.assert_allclose(found.values, (coefficients * x[:, None]).T, atol=1e-5)


def test_overlapping_windows_are_averaged(linear, explain):
    x = np.ones(3, np.float32)
    found = explain("occlusion", linear([[1.0], [2.0], [4.0]]), x, window=2, stride=1)
    # The windows [0, 2) and [1, 3) take off 3 and 6.
    np.testing.assert_allclose(found.values, [[3.0, 4.5, 6.0]], atol=1e-5)


def test_windows_equal_a_plain_loop_over_the_picture(two_patches, explain, patches_picture):
    found = explain("occlusion", two_patches, patches_picture, fill="black", window=(8, 12), stride=(4, 4))
    x = patches_picture.astype(np.float64).transpose(2, 0, 1) / 255
    falls, covered = np.zeros((32, 32)), np.zeros((32, 32))
    for top in range(0, 25, 4):
        for left in range(0, 21, 4):
            window = (slice(top, top + 8), slice(left, left + 12))
            read = np.zeros((32, 32))
            read[4:12, 4:12] = 1 / 16  # what score 0 reads: four means over 4 x 4 pixels
            falls[window] += (x.sum(axis=0) * read)[window].sum()
            covered[window] += 1
    np.testing.assert_allclose(found.values[0], falls / covered, atol=1e-4)


def test_default_windows_find_the_patch(two_patches, explain, patches_picture):
    first, second = explain("occlusion", two_patches, patches_picture, (0, 1), fill="black").values
    assert np.unravel_index(first.argmax(), first.shape) in [(y, x) for y in range(4, 12) for x in range(4, 12)]
    # A window of 6 pixels that touches the patch reaches at most 5 beyond it.
    assert second[15:, 15:].sum() == pytest.approx(second.sum(), rel=1e-5)
    assert second[20:28, 20:28].mean() > 3 * second.mean()
    assert np.abs(first[17:, 17:]).max() < 1e-5


def test_segments_give_each_feature_one_weight(two_patches, explain, patches_picture):
    found = explain("occlusion", two_patches, patches_picture, by="segments", fill="black")
    assert found.weights.shape == (1, 64)
    x = patches_picture.astype(np.float64) / 255
    np.testing.assert_allclose(found.values[0, 4, 4], x[4:8, 4:8].sum() / 16, atol=1e-4)
    assert found.facts[0]["passes"] == 64


def test_grouped_columns_go_together(linear, explain):
    model = linear(np.arange(8.0)[:, None])
    sample = array_sample(model, {"x": np.ones(8, np.float32)}, labels=np.array([0, 0, 1, 1, 2, 2, 3, 3], np.int32))
    np.testing.assert_allclose(explain("occlusion", model, sample).weights, [[1, 5, 9, 13]], atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "1 <= stride <= window"),
        ({"window": 2, "stride": 3}, "1 <= stride <= window"),
        ({"window": 9}, "window <= positions"),
        ({"window": (1, 1)}, "one for each of 1 axes"),
        ({"by": "segments", "window": 1}, "segments has no window"),
    ],
)
def test_impossible_windows_are_refused(linear, explain, settings, message):
    with pytest.raises(UsageError, match=message):
        explain("occlusion", linear(np.ones((4, 1))), np.ones(4, np.float32), **settings)

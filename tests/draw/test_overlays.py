import numpy as np
import pytest

from agnostic.draw.colour import heat
from agnostic.draw.light import dimmed, lit
from agnostic.draw.overlays import Scale, overlay, shared_scale, smoothed
from agnostic.errors import InputError, ItemError, UsageError

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def luma(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114]))


def test_scale_of_a_uniform_map_is_its_percentile() -> None:
    values = np.arange(1001.0)
    assert shared_scale([values]) == Scale(0.0, 995.0, 5 / 1001)


def test_a_small_map_is_not_clipped() -> None:
    assert shared_scale([np.arange(49.0).reshape(7, 7)]) == Scale(0.0, 48.0, 0.0)


def test_a_single_spike_sets_the_scale() -> None:
    spike = np.zeros((28, 28))
    spike[3, 4] = 5
    assert shared_scale([spike]) == Scale(0.0, 5.0, 0.0)


def test_signed_scale_is_symmetric_and_counts_both_signs() -> None:
    assert shared_scale([[1.0, -4.0]], signed=True) == Scale(-4.0, 4.0)
    assert shared_scale([[1.0, -4.0]]) == Scale(0.0, 1.0)


def test_a_shared_scale_is_the_widest_of_the_maps() -> None:
    maps = [np.full((3, 3), 2.0), np.full((90, 90), 0.5)]
    assert shared_scale(maps).high == 2.0


def test_no_maps_have_no_scale() -> None:
    with pytest.raises(UsageError, match="no map"):
        shared_scale([])


def test_fraction() -> None:
    np.testing.assert_allclose(Scale(0, 4).fraction([-1.0, 1.0, 9.0]), [0, 0.25, 1])
    np.testing.assert_allclose(Scale(2, 4).fraction([1.0, 3.0]), [0, 0.5])
    np.testing.assert_allclose(Scale(-4, 4).fraction([-1.0, 1.0, -9.0], signed=True), [-0.25, 0.25, -1])
    # Zero is neutral whatever scale is given.
    assert Scale(-4, 4).fraction([0.0])[0] == 0


def test_a_map_of_zeros_leaves_the_picture_dim() -> None:
    for signed in (False, True):
        np.testing.assert_array_equal(overlay(PICTURE, np.zeros((4, 6)), signed=signed), dimmed(PICTURE))


def test_what_the_map_points_at_is_lit_and_the_rest_is_dim() -> None:
    values = np.zeros((40, 60))
    values[10:20, 30:40] = 1
    shown = overlay(PICTURE, values)
    np.testing.assert_array_equal(shown[:, :30], dimmed(PICTURE)[:, :30])
    expected = lit(PICTURE[10:20, 30:40], heat(np.ones((10, 10))))
    np.testing.assert_array_equal(shown[10:20, 30:40], expected)
    assert luma(shown[10:20, 30:40]).mean() > 2.5 * luma(shown[:, :30]).mean()


def test_signed_colours_on_a_grey_picture() -> None:
    grey = np.full((2, 2, 3), 128, np.uint8)
    shown = overlay(grey, np.array([[1.0, -1.0], [0.0, 0.0]]), signed=True).astype(int)
    assert shown[0, 0, 1] > shown[0, 0, 0] + 50  # teal
    assert shown[0, 1, 0] > shown[0, 1, 2] + 50  # coral
    assert (shown[1] == 69).all()


def test_a_map_is_enlarged_smoothly_and_within_its_values() -> None:
    spike = np.zeros((5, 5), np.float32)
    spike[2, 2] = 1
    large = smoothed(spike, (50, 50))
    assert large.min() >= 0 and large.max() <= 1
    assert np.abs(np.diff(large, axis=1)).max() < 0.15
    assert (np.abs(np.argwhere(large == large.max()) - 24.5) < 2).all()


def test_pieces_stay_crisp_and_exact() -> None:
    segments = np.repeat([[0, 1]], 2, axis=0).repeat(2, axis=1)  # two halves, (2, 4)
    picture = np.full((20, 40, 3), 128, np.uint8)
    shown = overlay(picture, np.where(segments == 0, 1.0, 0.25), segments=segments)
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 2
    np.testing.assert_array_equal(shown[:, :20], np.broadcast_to(shown[0, 0], (20, 20, 3)))
    assert (shown[:, 20:] != shown[0, 0]).any(axis=-1).all()


def test_a_given_scale_makes_maps_comparable() -> None:
    values = np.full((40, 60), 1.0)
    np.testing.assert_array_equal(overlay(PICTURE, values, Scale(0, 2)), overlay(PICTURE, values / 2, Scale(0, 1)))


def test_wrong_maps_are_refused() -> None:
    with pytest.raises(InputError, match="expected \\(height, width\\)"):
        overlay(PICTURE, np.zeros((3, 4, 4)))
    with pytest.raises(ItemError, match="NaN"):
        overlay(PICTURE, np.full((4, 4), np.nan))
    with pytest.raises(InputError, match="expected the same"):
        overlay(PICTURE, np.zeros((4, 4)), segments=np.zeros((2, 2), int))

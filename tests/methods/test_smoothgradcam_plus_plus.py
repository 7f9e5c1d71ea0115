import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.kernels.resize import bilinear
from agnostic.methods._gradcam import second_order_weights


def test_without_noise_it_is_gradcam_plus_plus(curved, explain, averaged_picture):
    plain = explain("gradcam++", curved, averaged_picture, (0, 1)).values
    smooth = explain("smoothgradcam++", curved, averaged_picture, (0, 1), samples=3, noise=0.0)
    np.testing.assert_allclose(smooth.values, plain, rtol=1e-5)
    assert smooth.facts[0] == {"layer": "map", "samples": 3}


def test_where_gradients_are_the_same_everywhere_noise_changes_nothing(two_patches, explain, patches_picture):
    plain = explain("gradcam++", two_patches, patches_picture, (0, 1)).values
    smooth = explain("smoothgradcam++", two_patches, patches_picture, (0, 1), samples=5).values
    np.testing.assert_allclose(smooth, plain, rtol=1e-5)


def test_derivatives_are_averaged_before_they_are_divided(curved, explain, averaged_picture, by_hand):
    maps, _ = by_hand(curved, averaged_picture)
    x = ((averaged_picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)
    scale = np.float32(0.1 * np.ptp(x))
    drawn = [np.random.default_rng([0, i]).standard_normal(x.shape, np.float32) * scale for i in range(4)]
    gradients = curved.gradient(np.stack([x + noise for noise in drawn]), [0, 1], at="map").astype(np.float64)
    first, second, third = ((gradients**power).mean(axis=1) for power in (1, 2, 3))
    small = np.einsum("tc,chw->thw", second_order_weights(first, second, third, maps), maps)
    found = explain("smoothgradcam++", curved, averaged_picture, (0, 1), samples=4)
    np.testing.assert_allclose(found.values, bilinear(small.astype(np.float32), (12, 12)), rtol=1e-4)


@pytest.mark.parametrize("settings", [{"samples": 0}, {"noise": -1.0}, {"noise": float("nan")}])
def test_settings_without_sense_are_refused(curved, explain, averaged_picture, settings):
    with pytest.raises(UsageError):
        explain("smoothgradcam++", curved, averaged_picture, **settings)

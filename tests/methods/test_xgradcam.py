import numpy as np

from agnostic.kernels.resize import bilinear


def test_the_map_is_the_formula(curved, explain, averaged_picture, by_hand):
    maps, gradients = by_hand(curved, averaged_picture)
    shares = np.stack([channel / channel.sum() for channel in maps])
    weights = np.einsum("tchw,chw->tc", gradients, shares)
    small = np.maximum(np.einsum("tc,chw->thw", weights, maps), 0).astype(np.float32)
    found = explain("xgradcam", curved, averaged_picture, (0, 1, 2))
    np.testing.assert_allclose(found.values, bilinear(small, (12, 12)), atol=1e-5)


def test_channels_of_a_linear_tail_add_up_to_the_score(two_patches, explain, patches_picture):
    found = explain("xgradcam", two_patches, patches_picture, (0, 1), signed=True)
    x = (patches_picture.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(found.values.sum(axis=(1, 2)) / 16, two_patches.run(x)["scores"][0], rtol=1e-4)


def test_a_channel_that_is_off_or_sums_to_nothing_does_no_harm(curved, explain, averaged_picture):
    before_relu = explain("xgradcam", curved, averaged_picture, (0, 1, 2), task={"at": "map/pre"}, signed=True).values
    plain = explain("gradcam", curved, averaged_picture, (0, 1, 2), task={"at": "map/pre"}, signed=True).values
    assert np.abs(before_relu).max() < 10 * np.abs(plain).max()
    black = explain("xgradcam", curved, np.zeros_like(averaged_picture) + np.eye(12, dtype=np.uint8)[..., None])
    assert np.isfinite(black.values).all()

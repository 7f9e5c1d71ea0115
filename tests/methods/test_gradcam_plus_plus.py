import numpy as np

from agnostic.kernels.resize import bilinear
from agnostic.methods._gradcam import second_order_weights


def paper(maps, gradients):
    """Equations 10 and 19 for one target, place by place."""
    small = np.zeros(maps.shape[1:])
    for channel, gradient in zip(maps, gradients, strict=True):
        weight = 0.0
        for slope in gradient.ravel():
            share = slope**2 / (2 * slope**2 + channel.sum() * slope**3) if slope else 0.0
            weight += share * max(slope, 0.0)
        small += weight * channel
    return np.maximum(small, 0)


def test_the_map_is_the_formula(curved, explain, averaged_picture, by_hand):
    maps, gradients = by_hand(curved, averaged_picture)
    small = np.stack([paper(maps, rows) for rows in gradients]).astype(np.float32)
    found = explain("gradcam++", curved, averaged_picture, (0, 1, 2))
    np.testing.assert_allclose(found.values, bilinear(small, (12, 12)), rtol=1e-4, atol=1e-6)


def test_shares_stay_between_nothing_and_a_half_whatever_the_signs():
    random = np.random.default_rng(0)
    slopes = random.normal(size=(3, 5, 4, 4))
    weights = second_order_weights(slopes, slopes**2, slopes**3, random.normal(size=(5, 4, 4)))
    assert (weights >= 0).all()
    assert (weights <= np.maximum(slopes, 0).sum(axis=(2, 3)) / 2 + 1e-12).all()
    assert (second_order_weights(0 * slopes, 0 * slopes, 0 * slopes, np.ones((5, 4, 4))) == 0).all()


def test_high_scores_do_not_overflow(curved, explain, averaged_picture):
    found = explain("gradcam++", curved, averaged_picture, (curved.target("1000 * scores[0]"),))
    assert np.isfinite(found.values).all() and found.values.max() > 0

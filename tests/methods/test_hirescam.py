import numpy as np
import pytest

from agnostic.kernels.resize import bilinear


def test_the_map_is_the_formula(curved, explain, averaged_picture, by_hand):
    maps, gradients = by_hand(curved, averaged_picture)
    small = np.maximum((maps * gradients).sum(axis=1), 0).astype(np.float32)
    found = explain("hirescam", curved, averaged_picture, (0, 1, 2))
    np.testing.assert_allclose(found.values, bilinear(small, (12, 12)), atol=1e-5)


def test_it_is_gradcam_where_a_mean_and_a_linear_classifier_follow(squeezenet, explain):
    pair = ("Egyptian cat", "coffee mug")
    one = explain("gradcam", squeezenet, "cat_and_coffee.png", pair, task={"at": "conv10"}, signed=True)
    other = explain("hirescam", squeezenet, "cat_and_coffee.png", pair, task={"at": "conv10"}, signed=True)
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)


def test_places_of_a_linear_tail_add_up_to_the_score(two_patches, explain, patches_picture):
    found = explain("hirescam", two_patches, patches_picture, (0, 1), signed=True)
    x = (patches_picture.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    # Each of the 64 places is painted on 16 positions, whose mean is kept by the enlargement.
    np.testing.assert_allclose(found.values.sum(axis=(1, 2)) / 16, two_patches.run(x)["scores"][0], rtol=1e-4)


def test_only_it_is_dark_where_the_score_does_not_look(two_patches, explain, patches_picture):
    exact = explain("hirescam", two_patches, patches_picture).values[0]
    spread = explain("gradcam", two_patches, patches_picture).values[0]
    assert exact[18:, 18:].max() == 0 < spread[18:, 18:].max()
    assert exact[4:12, 4:12].min() > 0


@pytest.mark.parametrize("at", ["map", "map/pre"])
def test_any_map_can_be_named(curved, explain, averaged_picture, at):
    assert explain("hirescam", curved, averaged_picture, task={"at": at}).facts[0]["layer"] == at

import numpy as np

from agnostic.kernels.resize import bilinear


def test_the_map_is_the_formula(curved, explain, averaged_picture, by_hand):
    maps, gradients = by_hand(curved, averaged_picture)
    small = (maps * gradients * (gradients > 0)).sum(axis=1).astype(np.float32)
    found = explain("layercam", curved, averaged_picture, (0, 1, 2))
    np.testing.assert_allclose(found.values, bilinear(small, (12, 12)), atol=1e-5)
    assert found.facts[0] == {"layer": "map"}


def test_the_places_of_a_transformer_are_found(transformer, explain, landscape_picture):
    red, green = explain("layercam", transformer(), landscape_picture, (0, 1)).values
    assert (8 <= red.argmax() // 48 < 16) and (32 <= red.argmax() % 48 < 40)
    assert (24 <= green.argmax() // 48 < 32) and (green.argmax() % 48 < 8)

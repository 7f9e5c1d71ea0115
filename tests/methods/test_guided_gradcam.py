import numpy as np


def test_it_is_guided_backpropagation_times_gradcam(curved, explain, averaged_picture):
    sharp = explain("guided_backprop", curved, averaged_picture, (0, 1)).detail
    coarse = explain("gradcam", curved, averaged_picture, (0, 1)).values
    found = explain("guided_gradcam", curved, averaged_picture, (0, 1))
    np.testing.assert_allclose(found.detail, sharp * coarse[:, None], atol=1e-6)
    np.testing.assert_allclose(found.values, np.abs(found.detail).max(axis=1))
    assert found.facts[0]["layer"] == "map"


def test_the_layer_is_gradcams_and_the_positions_the_inputs(curved, explain, averaged_picture):
    found = explain("guided_gradcam", curved, averaged_picture, task={"at": "map/pre"})
    coarse = explain("gradcam", curved, averaged_picture, task={"at": "map/pre"}).values[0]
    assert found.detail.shape == (1, 3, 12, 12)
    assert (found.values[0][coarse == 0] == 0).all()
    assert found.facts[0]["layer"] == "map/pre"


def test_the_product_is_sharper_than_its_coarse_part(squeezenet, explain):
    coarse = explain("gradcam", squeezenet, "cat_and_coffee.png", ("Egyptian cat",)).values
    sharp = explain("guided_gradcam", squeezenet, "cat_and_coffee.png", ("Egyptian cat",)).values
    rough = [np.abs(np.diff(values, axis=2)).mean() / values.mean() for values in (sharp, coarse)]
    assert rough[0] > 10 * rough[1]

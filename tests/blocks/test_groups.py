import sys
import warnings

import numpy as np
import pytest
from sklearn.decomposition import NMF

from agnostic.blocks import attribute, between, compatible, effects, layer_maps, links
from agnostic.blocks.factors import factorise, stability
from agnostic.blocks.groups import grouped, groups
from agnostic.errors import ItemError, UsageError


@pytest.fixture
def parts(rng):
    """Two groups that are apart: 8 positions x 6 units."""
    left, right = np.zeros((8, 2)), np.zeros((2, 6))
    left[:4, 0], left[4:, 1] = rng.uniform(1, 2, 4), rng.uniform(1, 2, 4)
    right[0, :3], right[1, 3:] = rng.uniform(1, 2, 3), rng.uniform(1, 2, 3)
    return left, right


def test_factors_are_those_of_scikit_learn(rng):
    matrix = rng.uniform(size=(20, 9))
    model = NMF(n_components=3, init="nndsvda", random_state=0, max_iter=500)
    scaled = model.fit_transform(matrix / matrix.max())
    found = factorise(matrix, 3)
    np.testing.assert_allclose(found.left @ found.right, matrix.max() * scaled @ model.components_, rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(found.right, axis=1), 1)
    residual = matrix - found.left @ found.right
    assert found.explained == pytest.approx(1 - np.sum(residual**2) / np.sum(matrix**2))


def test_groups_that_are_apart_are_found_and_stable(parts):
    matrix = parts[0] @ parts[1]
    found = factorise(matrix, 2)
    assert found.explained > 0.9999
    assert stability(matrix, found) == pytest.approx(1, abs=1e-3)
    order = found.left[:4].sum(axis=0).argsort()[::-1]
    expected = parts[1] / np.linalg.norm(parts[1], axis=1, keepdims=True)
    np.testing.assert_allclose(found.right[order], expected, atol=1e-3)


def test_groups_at_other_places_are_other_groups(parts):
    matrix = parts[0] @ parts[1]
    found = factorise(matrix, 2)
    assert stability(matrix, found._replace(left=found.left[::-1])) < 0.1
    assert stability(matrix, found._replace(right=found.right[:, ::-1])) < 0.1


def test_noise_is_not_stable(rng):
    matrix = rng.uniform(size=(40, 30))
    assert stability(matrix, factorise(matrix, 8)) < 0.9


def test_a_signed_matrix_is_split_above_and_below(parts):
    right = parts[1] * [1, -1, 1, -1, 1, -1]
    found = factorise(parts[0] @ right, 2)
    assert found.explained > 0.9999 and (found.left >= 0).all()
    np.testing.assert_allclose(found.left @ found.right, parts[0] @ right, atol=0.02)


def test_groups_are_ordered_from_left_to_right():
    maps = np.zeros((3, 2, 4), np.float32)
    maps[0, 1, 3], maps[1, 0, 0], maps[2, 0, 2] = 5, 1, 3
    found = grouped("layer", maps, 3)
    assert found.peaks == ((0, 0), (0, 2), (1, 3))
    assert found.channels.argmax(axis=1).tolist() == [1, 2, 0]
    np.testing.assert_allclose(found.pieces.sum(axis=0), maps, atol=0.05)


@pytest.mark.parametrize("of", ["activations", "gradients", "attributions"])
@pytest.mark.parametrize("how", ["linear", "path"])
def test_the_groups_and_the_rest_add_up_to_the_layer(smooth, on_smooth, of, how):
    found = groups(smooth, on_smooth, "late", 2, of, target=1)
    told = effects(smooth, on_smooth, found, [0, 1], how=how)
    totals = [item.total for item in attribute(smooth, on_smooth, "late", [0, 1], how=how)]
    np.testing.assert_allclose(told.values.sum(axis=0) + told.rest, totals, rtol=1e-3)
    np.testing.assert_allclose(told.completeness, 1, atol=1e-3)
    assert found.target == ("" if of == "activations" else smooth.target(1).name)


def test_an_effect_is_the_group_times_the_slope(smooth, on_smooth):
    found = groups(smooth, on_smooth, "late", 2)
    told = effects(smooth, on_smooth, found, [2], how="linear")
    slope = smooth.gradient(on_smooth.arrays, 2, "late")[0]
    expected = np.einsum("nhw,nc,chw->n", found.spatial, found.channels, slope)
    np.testing.assert_allclose(told.values[:, 0], expected, rtol=1e-4)


def test_effects_count_the_class_token(tokens):
    from agnostic.blocks import as_sample

    sample = as_sample(tokens, np.random.default_rng(0).normal(size=(1, 3, 4, 6)).astype(np.float32))
    told = effects(tokens, sample, groups(tokens, sample, "tokens", 2), [0, 1], steps=24)
    np.testing.assert_allclose(told.completeness, 1, atol=1e-3)


@pytest.mark.parametrize("how", ["linear", "path"])
def test_links_and_their_rest_add_up_to_what_is_between_the_layers(smooth, on_smooth, how):
    early, late = groups(smooth, on_smooth, "early", 3), groups(smooth, on_smooth, "late", 2)
    told = links(smooth, on_smooth, early, late, how=how)
    assert told.values.shape == (3, 2)
    lengths = np.linalg.norm(late.pieces.reshape(2, -1), axis=1)
    directions = late.pieces / lengths[:, None, None, None]
    whole = between(smooth, on_smooth, "early", "late", directions, how=how).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(told.values.sum(axis=0) + told.rest, whole, rtol=1e-3, atol=1e-5)


def test_compatible_groups_link_to_fewer_later_ones(squeezenet_model, cat):
    late = groups(squeezenet_model, cat, "fire9/concat", 3)
    plain = groups(squeezenet_model, cat, "fire8/concat", 3)
    fitted = compatible(squeezenet_model, cat, "fire8/concat", late, 3, steps=2)
    assert fitted.spatial.shape == plain.spatial.shape and 0 < fitted.explained <= plain.explained + 1e-3
    own = [_own(links(squeezenet_model, cat, item, late, steps=2).values) for item in (plain, fitted)]
    assert own[1] > own[0]


def _own(values):
    """The share of the largest link of each earlier group."""
    sizes = np.abs(values)
    return float((sizes.max(axis=1) / sizes.sum(axis=1)).mean())


def test_errors(smooth, on_smooth, monkeypatch):
    with pytest.raises(UsageError, match="expected 1 to 5"):
        groups(smooth, on_smooth, "late", 6)
    with pytest.raises(UsageError, match="of='weights'"):
        groups(smooth, on_smooth, "late", 2, "weights")
    with pytest.raises(ItemError, match="every entry is zero"):
        grouped("late", np.zeros((3, 2, 2), np.float32), 2)
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(UsageError, match=r"agnostic-xai\[microscope\]"):
        groups(smooth, on_smooth, "late", 2)


def test_a_factorisation_that_is_cut_short_warns_of_nothing(rng):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        factorise(rng.uniform(size=(200, 80)), 20)


def test_groups_of_a_negative_layer(smooth, on_smooth):
    maps = layer_maps(smooth, on_smooth, "early")
    assert maps.min() < 0
    found = grouped("early", maps, 4)
    assert (found.spatial >= 0).all() and found.channels.min() < 0 and found.explained > 0.7

import numpy as np
import pytest

from agnostic.blocks import layer_maps
from agnostic.blocks.dictionary import dictionary, principal
from agnostic.blocks.grids import grid, shared
from agnostic.blocks.groups import groups
from agnostic.errors import UsageError


def test_every_position_lists_what_it_holds_most_of(squeezenet_model, cat):
    maps = layer_maps(squeezenet_model, cat, "fire9/concat")
    found = dictionary(squeezenet_model, cat, "fire9/concat")
    assert found.units.shape == found.values.shape == (13, 13, 5)
    for y, x in ((0, 0), (6, 4), (12, 12)):
        best = sorted(range(512), key=lambda unit: (-maps[unit, y, x], unit))[:5]
        assert found.units[y, x].tolist() == best
        assert found.values[y, x].tolist() == maps[best, y, x].tolist()
    y, x = found.start
    assert found.values[y, x, 0] == found.largest == maps.max()
    np.testing.assert_allclose(found.norms, np.sqrt((maps.astype(np.float64) ** 2).sum(axis=0)), rtol=1e-5)


def test_in_a_basis_of_single_units_the_entries_are_the_units(smooth, on_smooth):
    plain = dictionary(smooth, on_smooth, "late", 2)
    turned = dictionary(smooth, on_smooth, "late", 2, basis=3 * np.eye(5)[::-1])
    np.testing.assert_array_equal(4 - turned.units, plain.units)
    np.testing.assert_allclose(turned.values, plain.values, rtol=1e-6)


def test_groups_are_a_basis(smooth, on_smooth):
    found = groups(smooth, on_smooth, "late", 2)
    np.testing.assert_array_equal(dictionary(smooth, on_smooth, "late", basis=found).maps, found.spatial)


def test_principal_components_keep_the_lengths(smooth, on_smooth):
    maps = layer_maps(smooth, on_smooth, "late")
    basis = principal(maps, 5)
    np.testing.assert_allclose(basis @ basis.T, np.eye(5), atol=1e-10)
    found = dictionary(smooth, on_smooth, "late", basis=basis)
    np.testing.assert_allclose(np.linalg.norm(found.maps, axis=0), found.norms, rtol=1e-5)
    parts = (found.maps.astype(np.float64) ** 2).sum(axis=(1, 2))
    assert (np.diff(parts) <= 1e-6).all()


def test_what_does_not_fit_is_refused(smooth, on_smooth):
    with pytest.raises(UsageError, match=r"expected \[K, 5\]"):
        dictionary(smooth, on_smooth, "late", basis=np.eye(4))
    with pytest.raises(UsageError, match="direction of the basis is zero"):
        dictionary(smooth, on_smooth, "late", basis=np.zeros((1, 5)))
    with pytest.raises(UsageError, match="groups are of layer 'late', not of 'early'"):
        dictionary(smooth, on_smooth, "early", basis=groups(smooth, on_smooth, "late", 2))
    with pytest.raises(UsageError, match="top=0"):
        dictionary(smooth, on_smooth, "late", 0)
    with pytest.raises(UsageError, match="6 components"):
        principal(layer_maps(smooth, on_smooth, "late"), 6)


def test_a_grid_holds_every_vector_and_the_area_of_a_cell_is_its_length(squeezenet_model, cat):
    maps = layer_maps(squeezenet_model, cat, "fire5/concat")
    found = grid(squeezenet_model, cat, "fire5/concat")
    assert found.shape == (27, 27)
    np.testing.assert_array_equal(found.vectors[27 * 3 + 8], maps[:, 3, 8])
    np.testing.assert_allclose(np.linalg.norm(found.directions, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.sides**2 * found.norms.max(), found.norms, rtol=1e-5)
    assert found.sides.max() == 1


def test_shared_factors_mix_the_vectors(smooth, on_smooth):
    found = grid(smooth, on_smooth, "late")
    mixed = shared(found, 5)
    assert mixed.weights.shape == (16, 5) and mixed.factors.shape == (5, 5) and mixed.weights.min() >= 0
    residual = found.vectors - mixed.weights @ mixed.factors
    assert 1 - (residual**2).sum() / (found.vectors**2).sum() == pytest.approx(mixed.explained, abs=1e-5)
    assert mixed.explained > 0.99

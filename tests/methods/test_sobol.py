import sys

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.kernels.resize import bilinear


@pytest.fixture(scope="session")
def product(opened):
    """Score 0 is a product of two of three entries, score 1 the other one."""
    return opened(
        "g (float[n,3] x) => (float[n,2] y) "
        "{ a, b, c = Split <axis = 1> (x)  ab = Mul(a, b)  y = Concat <axis = 1> (ab, c) }"
    )


def test_features_of_a_linear_model_share_its_variance(linear, explain):
    coefficients, x = np.array([[2.0], [-1.0], [0.5], [0.0]]), np.array([1.0, 2.0, -1.0, 3.0], np.float32)
    found = explain("sobol", linear(coefficients), x, designs=4096)
    parts = (coefficients[:, 0] * x) ** 2
    np.testing.assert_allclose(found.weights[0], parts / parts.sum(), atol=0.04)
    assert found.facts[0] == {"by": "features", "designs": 4096, "passes": 4096 * 6}


def test_both_factors_of_a_product_have_a_part_in_most_of_the_variance(product, explain):
    found = explain("sobol", product, np.ones(3, np.float32), (0, 1), designs=4096)
    # On/off with probability 1/2: the mean variance given the other factor is 1/8, the whole variance 3/16.
    np.testing.assert_allclose(found.weights[0], [2 / 3, 2 / 3, 0], atol=0.04)  # three standard errors
    np.testing.assert_allclose(found.weights[1], [0, 0, 1], atol=0.04)


def test_cells_of_a_plane_share_the_variance_of_a_linear_score(two_patches, explain, patches_picture):
    found = explain("sobol", two_patches, patches_picture, fill="black", designs=1024, cells=4)
    blobs = bilinear(np.eye(16, dtype=np.float32).reshape(16, 4, 4), (32, 32))
    read = np.zeros((32, 32))
    read[4:12, 4:12] = 1 / 16
    slopes = blobs.reshape(16, -1) @ (patches_picture.sum(axis=2) / 255 * read).ravel()
    indices = slopes**2 / (slopes**2).sum()
    expected = bilinear(indices.reshape(1, 4, 4).astype(np.float32), (32, 32))[0]
    np.testing.assert_allclose(found.values[0], expected, atol=0.02)
    assert found.facts[0]["by"] == "grid of 4"
    assert found.weights is None


def test_no_cells_switch_the_features_of_a_plane(two_patches, explain, patches_picture):
    found = explain("sobol", two_patches, patches_picture, fill="black", designs=64, cells=0)
    assert found.weights.shape == (1, 64)
    assert set(np.argsort(-found.weights[0])[:4]) == {9, 10, 17, 18}


def test_quasi_random_masks_err_less_than_random_ones(two_patches, explain, patches_picture):
    blobs = bilinear(np.eye(16, dtype=np.float32).reshape(16, 4, 4), (32, 32)).reshape(16, -1)
    read = np.zeros((32, 32))
    read[4:12, 4:12] = 1 / 16
    slopes = blobs @ (patches_picture.sum(axis=2) / 255 * read).ravel()
    indices = slopes**2 / (slopes**2).sum()
    expected = bilinear(indices.reshape(1, 4, 4).astype(np.float32), (32, 32))[0]

    def plain(seed):
        first, second = np.random.default_rng(seed).random((2, 64, 16))
        spread = np.concatenate([first @ slopes, second @ slopes]).var()
        return np.square((first - second) * slopes).mean(axis=0) / 2 / spread - indices

    settings = {"fill": "black", "designs": 64, "cells": 4}
    quasi = [
        explain("sobol", two_patches, patches_picture, task={"seed": seed}, **settings).values[0] - expected
        for seed in range(10)
    ]
    assert np.abs(quasi).max(axis=(1, 2)).mean() < 0.75 * np.abs([plain(seed) for seed in range(10)]).max(axis=1).mean()


def test_every_switch_of_few_designs_counts(linear, explain):
    """Switches that were always on and off together would get 0 or twice their share."""
    found = explain("sobol", linear(np.ones((60, 1))), np.ones(60, np.float32), designs=64)
    assert 0.4 < 60 * found.weights.min() < 60 * found.weights.max() < 1.8


@pytest.mark.parametrize("settings", [{"designs": 0}, {"designs": 1}, {"designs": 48}, {"cells": -1}])
def test_senseless_settings_are_refused(linear, explain, settings):
    with pytest.raises(UsageError, match="expected"):
        explain("sobol", linear(np.ones((3, 1))), np.ones(3, np.float32), **settings)


def test_more_cells_than_positions_are_refused(two_patches, explain, patches_picture):
    with pytest.raises(UsageError, match="at most 32"):
        explain("sobol", two_patches, patches_picture, cells=33)


def test_without_scipy_the_line_that_installs_it_is_said(two_patches, explain, patches_picture, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(UsageError, match=r"agnostic-xai\[summary\]"):
        explain("sobol", two_patches, patches_picture, designs=2)

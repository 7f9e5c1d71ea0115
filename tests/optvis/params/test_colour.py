"""Colours against figures worked out by hand and an eigendecomposition of NumPy's covariance."""

import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis.params import PHOTO, estimate, from_valid_rgb, identity, to_valid_rgb


def test_photographs_matrix_over_its_longest_column() -> None:
    expected = [[0.56283, 0.19483, 0.04329], [0.58448, 0, -0.10824], [0.58448, -0.19483, 0.06494]]
    np.testing.assert_allclose(PHOTO.normalised, expected, atol=1e-5)


def test_photographs_matrix_is_a_root_of_their_covariance() -> None:
    covariance = [[0.0791, 0.0692, 0.0629], [0.0692, 0.0754, 0.0711], [0.0629, 0.0711, 0.0820]]
    root = np.array(PHOTO.matrix)
    np.testing.assert_allclose(root @ root.T, covariance, atol=3e-3)


def test_estimated_colours_equal_the_eigendecomposition(rng: np.random.Generator) -> None:
    mixing = rng.normal(size=(3, 3))
    pictures = [rng.random((h, w, 3)) @ mixing.T for h, w in ((9, 14), (20, 7))]
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures])
    strengths, directions = np.linalg.eigh(np.cov(pixels.T, bias=True))
    found = estimate(pictures)
    root = np.array(found.matrix)
    np.testing.assert_allclose(np.linalg.norm(root, axis=0) ** 2, strengths[::-1], rtol=1e-8)
    np.testing.assert_allclose(np.abs(root / np.linalg.norm(root, axis=0)), np.abs(directions[:, ::-1]), atol=1e-8)
    np.testing.assert_allclose(root @ root.T, np.cov(pixels.T, bias=True), atol=1e-10)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0))


def test_estimate_wants_pictures_of_one_depth() -> None:
    for pictures in ([], [np.zeros((2, 2, 1)), np.zeros((2, 2, 3))]):
        with pytest.raises(UsageError, match="one depth"):
            estimate(pictures)


def test_rgb_is_the_matrix_times_the_axes_squashed(rng: np.random.Generator) -> None:
    raw = rng.normal(size=(2, 4, 3, 5)).astype(np.float32)
    matrix = np.array(PHOTO.matrix) / max(np.sqrt(np.sum(np.square(PHOTO.matrix), axis=0)))
    expected = np.stack([[matrix @ raw[n, :3, y, x] for y in range(3) for x in range(5)] for n in range(2)])
    expected = expected.transpose(0, 2, 1).reshape(2, 3, 3, 5)
    found = to_valid_rgb(torch.from_numpy(raw))
    np.testing.assert_allclose(found[:, :3], 1 / (1 + np.exp(-expected)), atol=1e-6)
    np.testing.assert_allclose(found[:, 3], 1 / (1 + np.exp(-raw[:, 3])), atol=1e-6)
    cut = to_valid_rgb(torch.from_numpy(raw), sigmoid=False)
    np.testing.assert_allclose(
        cut[:, :3], np.clip(expected + np.reshape(PHOTO.mean, (1, 3, 1, 1)), 0, 1), atol=1e-6
    )  # fmt: skip


@pytest.mark.parametrize("colours", [PHOTO, identity(3), None])
def test_pictures_go_back_to_the_numbers_they_came_from(colours: object, rng: np.random.Generator) -> None:
    pictures = torch.from_numpy(rng.random((2, 3, 4, 4)).astype(np.float32))
    pictures[0, :, 0, 0], pictures[0, :, 0, 1] = 0.0, 1.0
    again = to_valid_rgb(from_valid_rgb(pictures, colours), colours)  # type: ignore[arg-type]
    assert float((again - pictures).abs().max()) <= 1.001e-3

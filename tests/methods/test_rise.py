import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.kernels.rise import draw_cells, render


def test_the_patch_is_found(two_patches, explain, patches_picture):
    first, second = explain("rise", two_patches, patches_picture, (0, 1), fill="black", masks=1500).values
    assert 4 <= first.argmax() // 32 < 12
    assert 4 <= first.argmax() % 32 < 12
    assert second[20:28, 20:28].mean() > 4 * np.abs(second).mean()


def test_both_estimates_are_their_formulas(two_patches, explain, patches_picture):
    settings = {"fill": "black", "masks": 64, "cells": 4, "probability": 0.4}
    masks = render(*draw_cells(64, 4, 0.4, 0), (32, 32)).astype(np.float64)
    x = patches_picture.astype(np.float32).transpose(2, 0, 1) / 255
    scores = two_patches.score((masks[:, None] * x).astype(np.float32), (two_patches.target(0),))[:, 0]
    paper = explain("rise", two_patches, patches_picture, estimate="paper", **settings).values[0]
    np.testing.assert_allclose(paper, np.tensordot(scores, masks, 1) / 64 / 0.4, rtol=1e-4)
    centred = explain("rise", two_patches, patches_picture, **settings).values[0]
    off = masks - masks.mean(axis=0)
    np.testing.assert_allclose(centred, np.tensordot(scores, off, 1) / (off**2).sum(axis=0), atol=1e-3)


def test_the_centred_estimate_is_the_slope_on_a_vector(linear, explain):
    coefficients = np.array([[2.0], [-1.0], [0.5], [0.0]])
    found = explain("rise", linear(coefficients), np.ones(4, np.float32), masks=4000)
    np.testing.assert_allclose(found.weights, coefficients.T, atol=0.15)


def test_masks_are_never_all_in_memory(two_patches, explain, patches_picture):
    import tracemalloc

    explain("rise", two_patches, patches_picture, masks=8)
    tracemalloc.start()
    explain("rise", two_patches, patches_picture, masks=4000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6  # all masks together are 16 MB


@pytest.mark.parametrize("settings", [{"masks": 0}, {"cells": 0}, {"probability": 0.0}, {"probability": 1.0}])
def test_senseless_settings_are_refused(linear, explain, settings):
    with pytest.raises(UsageError, match="expected a number"):
        explain("rise", linear(np.ones((3, 1))), np.ones(3, np.float32), **settings)

from typing import Any

import numpy as np
import pytest

from agnostic.converters.torch_import.ops.resize import Axis, Kernel, taps

X = np.random.default_rng(7).standard_normal((1, 2, 4, 5)).astype(np.float32)
MODES = ["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "asymmetric", "align_corners"]
UP, DOWN = np.array([1, 1, 2, 3], np.float32), np.array([1, 1, 0.5, 0.6], np.float32)


@pytest.mark.parametrize("coordinates", MODES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_upsampling(check: Any, mode: str, coordinates: str) -> None:
    check(
        "Resize", {"mode": mode, "coordinate_transformation_mode": coordinates}, X, None, UP, opset=19, tolerance=1e-4
    )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("more", [{}, {"antialias": 1}, {"exclude_outside": 1}])
def test_downsampling(check: Any, mode: str, more: dict[str, int]) -> None:
    if (mode == "nearest" and more) or (mode == "linear" and "exclude_outside" in more):
        more = {}
    check("Resize", {"mode": mode, **more}, X, None, DOWN, opset=19, judge="reference", tolerance=1e-4)


def test_cubic_takes_its_coefficient(check: Any) -> None:
    check("Resize", {"mode": "cubic", "cubic_coeff_a": -0.5}, X, None, UP, opset=19, tolerance=1e-4)


@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_nearest_modes(check: Any, nearest: str) -> None:
    check(
        "Resize",
        {"mode": "nearest", "nearest_mode": nearest},
        X,
        None,
        None,
        np.array([1, 2, 7, 8], np.int64),
        opset=19,
    )


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_aspect_ratio_policies(check: Any, policy: str) -> None:
    attributes = {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": policy}
    check("Resize", attributes, X, None, None, np.array([7, 8], np.int64), opset=19, tolerance=1e-4)


def test_crop_and_resize_fills_outside(check: Any) -> None:
    attributes = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 9.0}
    roi = np.array([0, 0, 0.2, -0.3, 1, 1, 0.9, 1.2], np.float32)
    check("Resize", attributes, X, roi, None, np.array([1, 2, 3, 6], np.int64), opset=19, tolerance=1e-4, smooth=False)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_weights_of_every_cell_sum_to_one(mode: str, antialias: bool) -> None:
    found = taps(Axis(10, 4, 0.4), Kernel(mode, "half_pixel", "floor", -0.75, False, antialias))
    np.testing.assert_allclose(found.weights.sum(1), 1)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_grid_sample(check: Any, mode: str, padding: str) -> None:
    grid = np.random.default_rng(8).uniform(-1.2, 1.2, (1, 3, 4, 2)).astype(np.float32)
    check("GridSample", {"mode": mode, "padding_mode": padding}, X, grid, tolerance=1e-4)


def test_affine_grid(check: Any) -> None:
    theta = np.array([[[0.9, 0.1, 0.2], [-0.3, 1.1, 0.0]]], np.float32)
    check("AffineGrid", {}, theta, np.array([1, 2, 3, 4], np.int64))

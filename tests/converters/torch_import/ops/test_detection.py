from typing import Any

import numpy as np
import pytest

BOXES = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1]]], np.float32)
SCORES = np.array([[[0.9, 0.75, 0.6, 0.95, 0.5], [0.1, 0.9, 0.2, 0.8, 0.85]]], np.float32)
X = np.random.default_rng(17).standard_normal((2, 3, 6, 7)).astype(np.float32)


@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("threshold", [0.0, 0.55])
def test_non_max_suppression(check: Any, centred: int, threshold: float) -> None:
    limits = np.array([3], np.int64), np.array([0.5], np.float32), np.array([threshold], np.float32)
    check("NonMaxSuppression", {"center_point_box": centred}, BOXES, SCORES, *limits, smooth=False)


@pytest.mark.parametrize("mode", ["half_pixel", "output_half_pixel"])
def test_roi_align(check: Any, mode: str) -> None:
    rois, batch = np.array([[0.5, 0.7, 4.2, 5.1], [1, 1, 6, 4]], np.float32), np.array([1, 0], np.int64)
    attributes = {"output_height": 2, "output_width": 3, "coordinate_transformation_mode": mode, "spatial_scale": 0.9}
    check("RoiAlign", attributes, X, rois, batch, opset=16, tolerance=1e-4, smooth=False)
    check("RoiAlign", {**attributes, "sampling_ratio": 2}, X, rois, batch, opset=16, tolerance=1e-4)


def test_max_roi_pool(check: Any) -> None:
    rois = np.array([[0, 0, 0, 3, 4], [1, 1, 2, 6, 5]], np.float32)
    check("MaxRoiPool", {"pooled_shape": [2, 2]}, X, rois, opset=17, smooth=False)

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(3)
X = RNG.permutation(2 * 3 * 7 * 8).reshape(2, 3, 7, 8).astype(np.float32) / 100 + 1
WINDOWS = [
    {"kernel_shape": [2, 3]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 2, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"kernel_shape": [2, 2], "dilations": [2, 3]},
]


@pytest.mark.parametrize("attributes", WINDOWS)
def test_max_pool_with_indices(check: Any, attributes: dict[str, Any]) -> None:
    check("MaxPool", attributes, X)
    check("MaxPool", attributes, X, outputs=2, smooth=False)
    check("MaxPool", {**attributes, "storage_order": 1}, X, outputs=2, smooth=False)


@pytest.mark.parametrize("attributes", WINDOWS)
@pytest.mark.parametrize("counted", [0, 1])
def test_average_pool(check: Any, attributes: dict[str, Any], counted: int) -> None:
    check("AveragePool", {**attributes, "count_include_pad": counted}, X)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool(check: Any, p: int) -> None:
    check("LpPool", {"kernel_shape": [2, 2], "p": p}, X, opset=21)


def test_pools_of_whole_maps(check: Any) -> None:
    check("GlobalAveragePool", {}, X)
    check("GlobalMaxPool", {}, X)
    check("GlobalLpPool", {"p": 2}, X, opset=21, tolerance=1e-4)


def test_max_pool_of_integers(check: Any) -> None:
    check("MaxPool", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}, (X * 10).astype(np.int8), smooth=False)


def test_max_unpool(check: Any) -> None:
    values, places = np.array([[[[5, 6], [7, 8]]]], np.float32), np.array([[[[5, 7], [13, 15]]]], np.int64)
    check("MaxUnpool", {"kernel_shape": [2, 2], "strides": [2, 2]}, values, places)

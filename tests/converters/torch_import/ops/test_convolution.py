from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(2)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pads": [1, 1, 1, 1], "strides": [2, 1]},
        {"pads": [0, 1, 2, 1], "dilations": [1, 2]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"auto_pad": "VALID"},
    ],
)
def test_conv(check: Any, attributes: dict[str, Any]) -> None:
    check("Conv", attributes, floats(2, 2, 6, 7), floats(4, 2, 3, 3), floats(4))


def test_grouped_conv_in_one_and_three_dimensions(check: Any) -> None:
    check("Conv", {"group": 2, "pads": [1, 1]}, floats(1, 4, 8), floats(4, 2, 3))
    check("Conv", {}, floats(1, 1, 4, 4, 4), floats(2, 1, 2, 3, 2))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"strides": [2, 3], "output_padding": [1, 2]},
        {"strides": [2, 2], "pads": [0, 1, 1, 0], "output_padding": [1, 0]},
        {"strides": [3, 2], "output_shape": [10, 8]},
        {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"dilations": [2, 1], "pads": [1, 1, 1, 1]},
    ],
)
def test_conv_transpose(check: Any, attributes: dict[str, Any]) -> None:
    check("ConvTranspose", attributes, floats(1, 2, 3, 3), floats(2, 3, 3, 3), floats(3), tolerance=1e-4)


def test_col2im_inverts_patches(check: Any) -> None:
    sizes = np.array([5, 5], np.int64), np.array([2, 3], np.int64)
    check("Col2Im", {"strides": [1, 2], "pads": [0, 1, 0, 1]}, floats(1, 12, 12), *sizes, judge="reference")


def test_deform_conv_without_torchvision(check: Any) -> None:
    offset, mask = floats(1, 18, 4, 4) / 2, RNG.random((1, 9, 4, 4)).astype(np.float32)
    inputs = [floats(1, 2, 4, 4), floats(4, 1, 3, 3), offset, floats(4), mask]
    check("DeformConv", {"pads": [1] * 4, "group": 2}, *inputs, judge="reference", tolerance=1e-4)

from typing import Any

import numpy as np
import pytest
import torch

from agnostic.converters.torch_import.ops.quantised import rounded
from agnostic.converters.torch_import.precision import Precision
from agnostic.converters.torch_import.registry import Node

RNG = np.random.default_rng(13)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def unsigned(*shape: int) -> Any:
    return RNG.integers(0, 256, shape).astype(np.uint8)


def scalar(value: float, dtype: Any = np.float32) -> Any:
    return np.array(value, dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16])
def test_quantize_saturates_and_rounds_to_even(check: Any, dtype: Any) -> None:
    x = np.array([-1e6, -0.75, 0.25, 0.75, 1.25, 1e6], np.float32)
    check("QuantizeLinear", {}, x, scalar(0.5), scalar(3, dtype), opset=21, smooth=False)


def test_quantize_and_dequantize_per_axis(check: Any) -> None:
    scales, zeros = np.array([0.1, 0.2, 0.3], np.float32), np.array([1, 2, 3], np.uint8)
    check("QuantizeLinear", {"axis": 1}, floats(2, 3, 4), scales, zeros, smooth=False)
    check("DequantizeLinear", {"axis": 1}, unsigned(2, 3, 4), scales, zeros, smooth=False)


def test_dynamic_quantize(check: Any) -> None:
    check("DynamicQuantizeLinear", {}, floats(3, 4), outputs=3, smooth=False)


def test_integer_products_are_exact(check: Any) -> None:
    check("MatMulInteger", {}, unsigned(3, 40), unsigned(40, 2), scalar(7, np.uint8), scalar(9, np.uint8), smooth=False)
    check(
        "ConvInteger", {"pads": [1] * 4}, unsigned(1, 3, 5, 5), unsigned(2, 3, 3, 3), scalar(5, np.uint8), smooth=False
    )


def test_quantised_products(check: Any) -> None:
    s, z = scalar(0.02), scalar(120, np.uint8)
    check("QLinearMatMul", {}, unsigned(3, 8), s, z, unsigned(8, 4), s, z, scalar(0.05), z, smooth=False)
    w, ws, wz = RNG.integers(-9, 9, (4, 2, 3, 3)).astype(np.int8), floats(4) ** 2 + 0.01, np.zeros(4, np.int8)
    bias = np.array([10, -20, 30, 0], np.int32)
    check("QLinearConv", {"pads": [1] * 4}, unsigned(1, 2, 5, 5), s, z, w, ws, wz, scalar(0.3), z, bias, smooth=False)


def test_straight_through_rounds_exactly_and_passes_the_gradient_where_nothing_saturates() -> None:
    x = torch.tensor([-300.2, -0.4, 0.6, 3.7, 400.0], requires_grad=True)
    y = rounded(x, torch.tensor(2, dtype=torch.int8), 3, Node("q", (True,), (), Precision(), straight_through=True))
    assert y.tolist() == [-128, 2, 3, 6, 127]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.tolist() == [0, 1, 1, 1, 0]


def test_without_straight_through_the_path_ends() -> None:
    x = torch.tensor([0.6], requires_grad=True)
    y = rounded(x, None, 3, Node("q", (True,), (), Precision(), straight_through=False))
    assert y.dtype is torch.int8
    assert not y.requires_grad

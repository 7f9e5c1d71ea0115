from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(16)
S, Z = np.array(0.02, np.float32), np.array(120, np.uint8)
Y = np.array(0.03, np.float32)


def unsigned(*shape: int) -> Any:
    return RNG.integers(60, 200, shape).astype(np.uint8)


@pytest.fixture
def quantised(check: Any) -> Any:
    def compare(op: str, attributes: dict[str, Any], *inputs: Any, **more: Any) -> None:
        check(op, attributes, *inputs, domain="com.microsoft", opset=17, smooth=False, **more)

    return compare


@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_arithmetic(quantised: Any, op: str) -> None:
    quantised(op, {}, unsigned(2, 3, 4), S, Z, unsigned(4), S, Z, Y, Z)


def test_activations_and_pools(quantised: Any) -> None:
    quantised("QLinearLeakyRelu", {"alpha": 0.2}, unsigned(2, 3), S, Z, Y, Z)
    quantised("QLinearGlobalAveragePool", {}, unsigned(1, 2, 3, 4), S, Z, Y, Z)
    attributes = {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1]}  # a mean may lie between two integers: one step is free
    quantised("QLinearAveragePool", attributes, unsigned(1, 2, 4, 4), S, Z, Y, Z, tolerance=1.0)


def test_concat_rescales_its_parts(quantised: Any) -> None:
    quantised("QLinearConcat", {"axis": 1}, Y, Z, unsigned(2, 3), S, Z, unsigned(2, 1), Y, Z)


def test_gemm_to_bytes_and_to_floats(quantised: Any) -> None:
    c = np.array([100, -200], np.int32)
    a, b = unsigned(3, 8), unsigned(8, 2)
    quantised("QGemm", {}, a, S, Z, b, S, Z, c, np.array(0.1, np.float32), Z)
    quantised("QGemm", {"transB": 1}, a, S, Z, b.T.copy(), S, Z, c)


def test_dynamic_products(quantised: Any) -> None:
    a, b = RNG.standard_normal((3, 8)).astype(np.float32), unsigned(8, 2)
    quantised("DynamicQuantizeMatMul", {}, a, b, S, Z)
    quantised("MatMulIntegerToFloat", {}, unsigned(3, 8), b, S, Y, Z, Z)


def test_four_bit_weights(quantised: Any) -> None:
    a = RNG.standard_normal((2, 32)).astype(np.float32)
    b, scales = RNG.integers(0, 256, (3, 1, 16)).astype(np.uint8), RNG.random((3, 1)).astype(np.float32)
    quantised("MatMulNBits", {"K": 32, "N": 3, "block_size": 32, "bits": 4}, a, b, scales)

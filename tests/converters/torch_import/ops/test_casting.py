from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

X = np.array([-2.7, -0.5, 0.0, 0.5, 2.7, 300.0], np.float32)


@pytest.mark.parametrize(
    "to", [TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL]
)
def test_cast(check: Any, to: int) -> None:
    check("Cast", {"to": to}, X, smooth=False)


def test_a_cast_to_half_rounds_and_passes_the_gradient(check: Any) -> None:
    check("Cast", {"to": TensorProto.DOUBLE}, X)


def test_bit_cast(check: Any) -> None:
    check("BitCast", {"to": TensorProto.INT32}, X, opset=26, judge="reference", smooth=False)


def test_filled_tensors(check: Any) -> None:
    check("ConstantOfShape", {}, np.array([2, 3], np.int64), smooth=False)
    check("EyeLike", {"k": 1, "dtype": TensorProto.FLOAT}, np.zeros((3, 4), np.int32), smooth=False)


@pytest.mark.parametrize("steps", [(1, 10, 3), (5, -3, -2), (0, 0, 1)])
def test_range(check: Any, steps: tuple[int, int, int]) -> None:
    check("Range", {}, *(np.array(step, np.int64) for step in steps), smooth=False)
    check("Range", {}, *(np.array(step, np.float32) for step in steps), smooth=False)

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(1)
A, B = (RNG.uniform(0.2, 0.9, (2, 3)).astype(np.float32) for _ in range(2))
ROW = RNG.uniform(1.1, 1.9, (3,)).astype(np.float32)


FUNCTIONS = "Abs Acos Asin Asinh Atan Atanh Cos Cosh Erf Exp Log Neg Reciprocal Sin Sinh Sqrt Tan"


@pytest.mark.parametrize("op", FUNCTIONS.split())
def test_functions_of_one_tensor(check: Any, op: str) -> None:
    check(op, {}, A)


def test_acosh_above_one(check: Any) -> None:
    check("Acosh", {}, ROW)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"])
def test_functions_of_two_tensors_that_broadcast(check: Any, op: str) -> None:
    check(op, {}, A, ROW)


@pytest.mark.parametrize("op", ["Floor", "Ceil", "Round", "Sign", "IsNaN", "IsInf"])
def test_piecewise_constant_functions(check: Any, op: str) -> None:
    check(
        op,
        {},
        np.array([-1.5, -0.5, 0.0, 0.5, 1.5, np.inf, np.nan], np.float32)[: None if "Is" in op else 5],
        smooth=False,
    )


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_comparisons(check: Any, op: str) -> None:
    check(op, {}, np.array([1, 2, 3], np.int32), np.array([3, 2, 1], np.int32), smooth=False)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8])
def test_integer_division_truncates(check: Any, dtype: Any) -> None:
    a = np.array([7, -7, 9, 100], np.int64).astype(dtype)
    check("Div", {}, a, np.array([2, 2, 4, 3]).astype(dtype), smooth=False)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Max", "BitwiseAnd", "BitwiseXor"])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64])
def test_unsigned_integers_that_torch_lacks_wrap_around(check: Any, op: str, dtype: Any) -> None:
    check(op, {}, np.array([1, 2, 65535], dtype), np.array([3, 1, 2], dtype), judge="reference", smooth=False)


@pytest.mark.parametrize("fmod", [0, 1])
def test_mod(check: Any, fmod: int) -> None:
    a, b = np.array([-4.3, 7.2, 5.0], np.float32), np.array([2.1, 3.4, 8.0], np.float32)
    check("Mod", {"fmod": 1}, a, b) if fmod else check("Mod", {}, a.astype(np.int32), b.astype(np.int32), smooth=False)


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_bit_shift(check: Any, direction: str) -> None:
    a, b = np.array([16, 4, 255], np.uint8), np.array([1, 2, 3], np.uint8)
    check("BitShift", {"direction": direction}, a, b, smooth=False)


def test_where(check: Any) -> None:
    check("Where", {}, A > B, A, B)

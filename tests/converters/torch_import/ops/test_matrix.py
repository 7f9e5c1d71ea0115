from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(5)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3, 4)), ((2, 1, 3, 4), (5, 4, 2))])
def test_matmul(check: Any, shapes: Any) -> None:
    check("MatMul", {}, *(floats(*shape) for shape in shapes))


@pytest.mark.parametrize("flags", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_gemm(check: Any, flags: tuple[int, int]) -> None:
    a, b = floats(3, 2) if flags[0] else floats(2, 3), floats(4, 3) if flags[1] else floats(3, 4)
    check("Gemm", {"transA": flags[0], "transB": flags[1], "alpha": 0.5, "beta": 2.0}, a, b, floats(4))
    check("Gemm", {"transA": flags[0], "transB": flags[1]}, a, b)


@pytest.mark.parametrize("equation", ["bij, bjk -> bik", "...i,...i->...", "bii->bi"])
def test_einsum(check: Any, equation: str) -> None:
    count = equation.count(",") + 1
    check("Einsum", {"equation": equation}, *(floats(2, 3, 3) for _ in range(count)))


def test_det(check: Any) -> None:
    check("Det", {}, floats(2, 3, 3))

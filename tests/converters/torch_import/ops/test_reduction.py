from typing import Any

import numpy as np
import pytest

X = np.random.default_rng(6).uniform(0.5, 2, (2, 3, 4)).astype(np.float32)
NAMES = "L1 L2 LogSum LogSumExp Max Mean Min Prod Sum SumSquare"


@pytest.mark.parametrize("op", [f"Reduce{name}" for name in NAMES.split()])
@pytest.mark.parametrize("axes", [None, [1], [-1, 0]])
def test_reductions(check: Any, op: str, axes: list[int] | None) -> None:
    chosen = None if axes is None else np.array(axes, np.int64)
    check(op, {"keepdims": 0}, X, chosen, opset=20, tolerance=1e-4)
    check(op, {"keepdims": 1}, X, chosen, opset=20, tolerance=1e-4)


def test_no_axes_can_mean_no_reduction(check: Any) -> None:
    check("ReduceSumSquare", {"noop_with_empty_axes": 1}, X, judge="reference")


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMean"])
def test_integers_keep_their_type(check: Any, op: str) -> None:
    check(op, {}, np.array([[1, 2], [4, 6]], np.int32), np.array([1], np.int64), opset=20, smooth=False)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
def test_places_of_extremes(check: Any, op: str, last: int) -> None:
    x = np.array([[1, 3, 3, 1], [2, 2, 0, 0]], np.float32)
    check(op, {"axis": 1, "keepdims": 0, "select_last_index": last}, x, opset=13, smooth=False)

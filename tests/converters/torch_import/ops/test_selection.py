from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(10)
X = RNG.permutation(24).reshape(2, 3, 4).astype(np.float32) / 5 + 1


def ints(*values: Any) -> Any:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("op", "attributes", "more"),
    [
        ("Gather", {"axis": 1}, (ints([0, -1], [2, 2]),)),
        ("Gather", {"axis": -1}, (np.array(1, np.int64),)),
        ("GatherElements", {"axis": 2}, (ints([[1, 0], [0, -1], [3, 3]], [[0, 0], [1, 1], [2, 2]]),)),
        ("GatherND", {}, (ints([0, 1], [1, -1]),)),
        ("GatherND", {"batch_dims": 1}, (ints([[2]], [[0]]),)),
        ("Compress", {"axis": 1}, (np.array([True, False, True]),)),
        ("Compress", {}, (np.array([False, True, True]),)),
        ("Trilu", {"upper": 0}, (np.array(1, np.int64),)),
        ("CumSum", {"exclusive": 1, "reverse": 1}, (np.array(1, np.int64),)),
        ("ReverseSequence", {"batch_axis": 0, "time_axis": 1}, (ints(2, 3),)),
    ],
)
def test_values_and_gradients(check: Any, op: str, attributes: dict[str, Any], more: tuple[Any, ...]) -> None:
    check(op, attributes, X, *more)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatters(check: Any, reduction: str) -> None:
    places = ints([[0, 1, 2, 0], [1, 0, 2, 1]]).reshape(2, 1, 4)
    check("ScatterElements", {"axis": 1, "reduction": reduction}, X, places, 0.3 + X[:, :1] * 0.9)
    check("ScatterND", {"reduction": reduction}, X, ints([0, 2], [1, 0]), X[:, 1] * 0.9)


@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_prefers_the_first_of_equals(check: Any, largest: int) -> None:
    check("TopK", {"axis": 1, "largest": largest}, X, ints(2), outputs=2)
    check("TopK", {"largest": largest}, np.array([1, 2, 2, 1, 2], np.float32), ints(3), outputs=2, smooth=False)


def test_coordinates_and_classes(check: Any) -> None:
    check("NonZero", {}, np.array([[1, 0], [2, 3]], np.float32), smooth=False)
    check(
        "OneHot",
        {"axis": 1},
        ints([0, -1], [2, 5]),
        np.array(4, np.int64),
        np.array([0.5, 2], np.float32),
        smooth=False,
    )


@pytest.mark.parametrize("in_order", [0, 1])
def test_unique(check: Any, in_order: int) -> None:
    check("Unique", {"sorted": in_order}, np.array([2, 1, 1, 3, 4, 3], np.float32), outputs=4, smooth=False)

from typing import Any

import numpy as np
import pytest

X = np.random.default_rng(9).standard_normal((2, 3, 4)).astype(np.float32)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("op", "attributes", "more"),
    [
        ("Reshape", {}, (ints(0, -1),)),
        ("Reshape", {}, (ints(4, 6),)),
        ("Flatten", {"axis": 2}, ()),
        ("Flatten", {"axis": -1}, ()),
        ("Transpose", {"perm": [2, 0, 1]}, ()),
        ("Transpose", {}, ()),
        ("Unsqueeze", {}, (ints(0, -1),)),
        ("Expand", {}, (ints(5, 1, 3, 1),)),
        ("Tile", {}, (ints(1, 2, 3),)),
        ("Concat", {"axis": -1}, (X,)),
        ("Identity", {}, ()),
        ("CenterCropPad", {"axes": [1, 2]}, (ints(5, 1),)),
        ("Slice", {}, (ints(1, -1), ints(9, -9), ints(0, 2), ints(1, -2))),
        ("Slice", {}, (ints(-3), ints(-1), ints(1))),
        ("Pad", {}, (ints(0, 1, 2, 1, 0, 0), np.array(3, np.float32))),
        ("Pad", {}, (ints(-1, 1), None, ints(2))),
        ("Pad", {"mode": "reflect"}, (ints(0, 2, 1, 0, 0, 3),)),
        ("Pad", {"mode": "edge"}, (ints(1, 0, 0, 0, 2, 0),)),
        ("Pad", {"mode": "wrap"}, (ints(0, 1, 2, 0, 0, 1),)),
    ],
)
def test_values_and_gradients(check: Any, op: str, attributes: dict[str, Any], more: tuple[Any, ...]) -> None:
    check(op, attributes, X, *more)


def test_squeeze(check: Any) -> None:
    check("Squeeze", {}, X[:, None], ints(-3))
    check("Squeeze", {}, X[None, :, None])


def test_split_into_lengths_and_into_parts(check: Any) -> None:
    check("Split", {"axis": 2}, X, ints(1, 3), outputs=2)
    check("Split", {"axis": 1, "num_outputs": 2}, X, outputs=2)


def test_shapes_are_tensors(check: Any) -> None:
    check("Shape", {"start": -2}, X, smooth=False)
    check("Size", {}, X, smooth=False)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(check: Any, mode: str) -> None:
    check("DepthToSpace", {"blocksize": 2, "mode": mode}, np.arange(48, dtype=np.float32).reshape(1, 8, 2, 3))


def test_space_to_depth(check: Any) -> None:
    check("SpaceToDepth", {"blocksize": 2}, np.arange(48, dtype=np.float32).reshape(1, 2, 4, 6))

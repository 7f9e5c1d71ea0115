# ruff: noqa: E501
"""Receptive fields against what really happens to a cell when a pixel changes."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest

import agnostic
from agnostic.converters.receptive import Axis, Field, receptive_fields
from agnostic.engine.model import Model

Open = Callable[..., Model]
SIZE = (29, 33)

STEPS = {
    "conv": "y = Conv<kernel_shape=[3,5], pads=[1,2,1,2]>(x, w35)",
    "strided": "y = Conv<kernel_shape=[3,5], strides=[2,3], pads=[0,1,2,2]>(x, w35)",
    "dilated": "y = Conv<kernel_shape=[3,5], dilations=[3,2]>(x, w35)",
    "same upper": 'y = Conv<kernel_shape=[3,5], strides=[2,2], auto_pad="SAME_UPPER">(x, w35)',
    "same lower": 'a = Conv<kernel_shape=[2,2], auto_pad="SAME_LOWER">(x, w22) y = AveragePool<kernel_shape=[2,4], auto_pad="SAME_LOWER", strides=[2,2]>(a)',
    "valid": 'y = Conv<auto_pad="VALID">(x, w35)',
    "max pool": "a = Conv<strides=[2,2]>(x, w35) b = Relu(a) y = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(b)",
    "branches": "a = Conv<pads=[1,2,1,2]>(x, w35) b = Conv<pads=[0,0,1,1]>(x, w22) y = Add(a, b)",
    "skip": "a = Conv<strides=[2,2], pads=[1,2,1,2]>(x, w35) b = Conv<strides=[2,2]>(x, w11) c = Concat<axis=1>(a, b) y = Relu(c)",
    "padded": "p = Constant<value_ints=[0,0,2,1,0,0,0,3]>() a = Pad(x, p) y = Conv<strides=[2,2]>(a, w35)",
    "there and back": "a = Transpose<perm=[0,2,3,1]>(x) b = MatMul(a, wm) c = Transpose<perm=[0,3,1,2]>(b) y = Conv<strides=[3,2]>(c, w22)",
}  # fmt: skip


@pytest.mark.parametrize("body", STEPS.values(), ids=STEPS.keys())
def test_a_cell_changes_exactly_with_the_pixels_of_its_field(opened: Open, body: str) -> None:
    shapes = {"w35": (1, 1, 3, 5), "w22": (1, 1, 2, 2), "w11": (1, 1, 1, 1), "wm": (1, 1)}
    weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items() if name in body}
    model = opened(f"g (float[n,1,{SIZE[0]},{SIZE[1]}] x) => (float[n,c,h,w] y) {{ {body} }}", weights)
    field = receptive_fields(model.proto, "x", SIZE)["y"]
    height, width = model.run(np.zeros((1, 1, *SIZE), np.float32))["y"].shape[2:]
    for y, x in {(0, 0), (height // 2, width // 2), (height - 1, width - 1), (1, 2)}:
        assert _clipped(field.box(y, x)) == _seen(model, y, x), (y, x)


def _clipped(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return max(box[0], 0), max(box[1], 0), min(box[2], SIZE[0]), min(box[3], SIZE[1])


def _seen(model: Model, y: int, x: int) -> tuple[int, int, int, int]:
    """The box of the pixels that move a cell when each is raised alone; positive weights cannot cancel."""
    pixels = np.eye(SIZE[0] * SIZE[1], dtype=np.float32).reshape(-1, 1, *SIZE)
    moved = model.run(pixels)["y"][:, :, y, x].any(axis=1).reshape(SIZE)
    rows, columns = np.flatnonzero(moved.any(axis=1)), np.flatnonzero(moved.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def test_channels_last_inputs(graph: Callable[..., onnx.ModelProto]) -> None:
    text = "g (float[n,20,20,1] x) => (float[n,h,w,1] y) { a = Transpose<perm=[0,3,1,2]>(x) b = Conv<strides=[2,2]>(a, w) y = Transpose<perm=[0,2,3,1]>(b) }"  # fmt: skip
    proto = graph(text, {"w": np.ones((1, 1, 3, 5), np.float32)})
    assert receptive_fields(proto, "x", (20, 20), (1, 2))["y"] == Field(Axis(3, 2, 0), Axis(5, 2, 0))


WITHOUT = {
    "global pool": "a = GlobalAveragePool(x) y = Relu(a)",
    "gate": "a = GlobalAveragePool(x) y = Mul(x, a)",
    "reshape": "s = Constant<value_ints=[0,-1]>() y = Reshape(x, s)",
    "instance norm": "y = InstanceNormalization(x, one, one)",
    "other steps": "a = MaxPool<kernel_shape=[1,1], strides=[2,2]>(x) b = MaxPool<kernel_shape=[4,4]>(x) y = Concat<axis=0>(a, b)",
    "joined places": "y = Concat<axis=2>(x, x)",
    "attention": "a = Transpose<perm=[0,1,3,2]>(x) y = MatMul(x, a)",
    "softmax over places": "y = Softmax<axis=-1>(x)",
}  # fmt: skip


@pytest.mark.parametrize("body", WITHOUT.values(), ids=WITHOUT.keys())
def test_what_looks_at_the_whole_has_no_field(graph: Callable[..., onnx.ModelProto], body: str) -> None:
    weights = {"one": np.ones(1, np.float32)} if "one" in body else {}
    proto = graph(f"g (float[1,1,7,7] x) => (float y) {{ {body} }}", weights)
    assert "y" not in receptive_fields(proto, "x", (7, 7))


def test_squeezenet_by_hand() -> None:
    fields = receptive_fields(agnostic.load("squeezenet", device="cpu").proto, "image", (224, 224))
    assert fields["conv1"].down == Axis(3, 2, 0)
    assert fields["pool1"].down == Axis(7, 4, 0)
    # A fire module adds a 3 x 3 with padding 1: 2 cells of its stride, half of them before.
    assert fields["fire2/concat"].down == Axis(15, 4, -4)
    assert fields["fire9/concat"].down == fields["fire9/concat"].across
    assert "pool10" not in fields

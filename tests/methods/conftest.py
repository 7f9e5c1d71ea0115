"""Models whose right answer is known, and samples to ask them about."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agnostic import methods
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.engine.target import Target
from agnostic.inputs.array import array_sample
from agnostic.inputs.image import image_sample
from agnostic.inputs.sample import Sample
from agnostic.methods import Attribution, Task
from agnostic.methods.contrast import against_rivals

PICTURES = Path(__file__).resolve().parents[2] / "models" / "pictures"

Build = Callable[..., Model]
Explain = Callable[..., Attribution]


def _model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Any],
    shape: list[Any],
    classes: int,
    integers: dict[str, Any] | None = None,
    **facts: Any,
) -> Model:
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        [
            *(numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()),
            *(numpy_helper.from_array(np.asarray(value, np.int64), name) for name, value in (integers or {}).items()),
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(proto, full_check=True)
    return load(proto, **facts)


@pytest.fixture(scope="session")
def linear() -> Build:
    """scores = x @ coefficients + 0.5: (features, classes) coefficients."""

    def build(coefficients: Any) -> Model:
        matrix = np.asarray(coefficients, np.float32)
        nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["scores"])]
        return _model(nodes, {"w": matrix, "b": np.full(matrix.shape[1], 0.5)}, [len(matrix)], matrix.shape[1])

    return build


@pytest.fixture(scope="session")
def perceptron() -> Model:
    """Six inputs that interact, two scores."""
    random = np.random.default_rng(7)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["hidden/pre"]),
        helper.make_node("Relu", ["hidden/pre"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "v"], ["scores"]),
    ]
    weights = {"w": random.normal(size=(6, 9)), "b": random.normal(size=9), "v": random.normal(size=(9, 2))}
    return _model(nodes, weights, [6], 2)


@pytest.fixture(scope="session")
def two_patches() -> Model:
    """A 32 x 32 picture to a 3 x 8 x 8 map of means; score 0 reads the map's upper left, score 1 its lower right."""
    reads = np.zeros((2, 3, 8, 8))
    reads[0, :, 1:3, 1:3] = 1
    reads[1, :, 5:7, 5:7] = 1
    kernel = np.zeros((3, 3, 4, 4))
    kernel[np.arange(3), np.arange(3)] = 1 / 16
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["map/pre"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Relu", ["map/pre"], ["map"]),
        helper.make_node("Flatten", ["map"], ["flat"]),
        helper.make_node("Gemm", ["flat", "reads"], ["scores"], transB=1),
    ]
    pixels = {"scale": 1 / 255, "mean": [0.0], "std": [1.0], "size": [32, 32]}
    return _model(nodes, {"kernel": kernel, "reads": reads.reshape(2, -1)}, [3, 32, 32], 2, preprocess=pixels)


@pytest.fixture(scope="session")
def patches_picture() -> Any:
    """Red where score 0 of `two_patches` looks, green where score 1 looks, dim noise in all colours."""
    pixels = np.random.default_rng(3).integers(0, 60, (32, 32, 3)).astype(np.uint8)
    pixels[4:12, 4:12, 0] = 250
    pixels[20:28, 20:28, 1] = 250
    return pixels


@pytest.fixture(scope="session")
def averaged() -> Model:
    """Convolution, mean over the map, linear classifier with a bias: three scores of a 12 x 12 picture."""
    random = np.random.default_rng(11)
    nodes = [
        helper.make_node("Conv", ["x", "kernel", "offset"], ["map/pre"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Relu", ["map/pre"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "v", "c"], ["scores"]),
    ]
    weights = {
        "kernel": random.normal(size=(5, 3, 3, 3)),
        "offset": random.normal(size=5),
        "v": random.normal(size=(5, 3)),
        "c": random.normal(size=3),
    }
    pixels = {"scale": 1 / 255, "mean": [0.5], "std": [0.25], "size": [12, 12]}
    return _model(nodes, weights, [3, 12, 12], 3, preprocess=pixels)


@pytest.fixture(scope="session")
def channels_last() -> Model:
    """As exported by TensorFlow: an 11 x 11 picture to a 5 x 5 map of 5 channels, channels last, mean, classifier."""
    random = np.random.default_rng(2)
    nodes = [
        helper.make_node("Transpose", ["x"], ["x/first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["x/first", "kernel"], ["map/pre"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Transpose", ["map/pre"], ["map/last"], perm=[0, 2, 3, 1]),
        helper.make_node("Relu", ["map/last"], ["map"]),
        helper.make_node("ReduceMean", ["map"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "v"], ["scores"]),
    ]
    weights = {"kernel": random.normal(size=(5, 3, 3, 3)), "v": random.normal(size=(5, 2))}
    return _model(nodes, weights, [11, 11, 3], 2, preprocess={"size": [11, 11], "mean": [0.0], "std": [1.0]})


@pytest.fixture(scope="session")
def curved() -> Model:
    """Convolution, ReLU, and behind the map a hidden layer of tanh, so that gradients differ from place to place."""
    random = np.random.default_rng(4)
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["map/pre"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Relu", ["map/pre"], ["map"]),
        helper.make_node("Flatten", ["map"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["hidden/pre"]),
        helper.make_node("Tanh", ["hidden/pre"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "v"], ["scores"]),
    ]
    weights = {
        "kernel": random.normal(size=(4, 3, 3, 3)),
        "w": random.normal(size=(100, 7)) / 10,
        "v": random.normal(size=(7, 3)),
    }
    pixels = {"scale": 1 / 255, "mean": [0.5], "std": [0.25], "size": [12, 12]}
    return _model(nodes, weights, [3, 12, 12], 3, preprocess=pixels)


@pytest.fixture(scope="session")
def transformer() -> Build:
    """A 32 x 48 picture to tokens of 8 x 8 patches, one even attention over all tokens, a linear classifier.

    A patch's token holds its mean colour and draws the mean of all tokens; special tokens hold 0.25. Score c is channel
    c of the first token or of the mean.
    """

    def build(special: int = 1, read: str = "class", merged: bool = False) -> Model:
        side = 4 if merged else 8
        kernel = np.zeros((3, 3, side, side))
        kernel[np.arange(3), np.arange(3)] = 1 / side**2
        nodes = [
            helper.make_node("Conv", ["x", "kernel"], ["patches"], kernel_shape=[side] * 2, strides=[side] * 2),
            *(_merge() if merged else [helper.make_node("Reshape", ["patches", "flat"], ["rows"])]),
            helper.make_node("Transpose", ["rows"], ["places"], perm=[0, 2, 1]),
            *(_join_special() if special else []),
            helper.make_node("Add", ["joined" if special else "places", "position"], ["tokens"]),
            *_attention(),
            helper.make_node("Gather", ["mixed", "zero"], ["pooled"], axis=1)
            if read == "class"
            else helper.make_node("ReduceMean", ["mixed"], ["pooled"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["pooled", "head"], ["scores"]),
        ]
        weights = {
            "kernel": kernel,
            "cls": np.full((1, max(special, 1), 3), 0.25),
            "position": np.zeros((1, 24 + special, 3)),
            "wq": np.zeros((3, 3)),
            "wk": np.eye(3),
            "wo": np.eye(3),
            "head": np.eye(3)[:, :2],
        }
        sizes = {"flat": [0, 3, -1], "cls_tail": [max(special, 1), 3], "zero": 0, "merge": [-1, 3, 4, 2, 6, 2]}
        pixels = {"scale": 1 / 255, "mean": [0.0], "std": [1.0], "size": [32, 48]}
        return _model(nodes, weights, [3, 32, 48], 2, integers=sizes, preprocess=pixels)

    return build


def _join_special() -> list[onnx.NodeProto]:
    """Put learnt tokens before the places, as exporters write it: spread over the batch first."""
    return [
        helper.make_node("Shape", ["x"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "cls_tail"], ["spread"], axis=0),
        helper.make_node("Expand", ["cls", "spread"], ["special"]),
        helper.make_node("Concat", ["special", "places"], ["joined"], axis=1),
    ]


def _merge() -> list[onnx.NodeProto]:
    """Halve the grid of patches, so that no convolution has its size."""
    return [
        helper.make_node("Reshape", ["patches", "merge"], ["squares"]),
        helper.make_node("ReduceMean", ["squares"], ["merged"], axes=[3, 5], keepdims=0),
        helper.make_node("Reshape", ["merged", "flat"], ["rows"]),
    ]


def _attention() -> list[onnx.NodeProto]:
    return [
        helper.make_node("MatMul", ["tokens", "wq"], ["q"]),
        helper.make_node("MatMul", ["tokens", "wk"], ["k"]),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["likeness"]),
        helper.make_node("Softmax", ["likeness"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "tokens"], ["drawn"]),
        helper.make_node("MatMul", ["drawn", "wo"], ["projected"]),
        helper.make_node("Add", ["tokens", "projected"], ["mixed/sum"]),
        helper.make_node("Relu", ["mixed/sum"], ["mixed"]),
    ]


@pytest.fixture(scope="session")
def landscape_picture() -> Any:
    """Red in the patch in row 1, column 4, green in row 3, column 0, of 4 x 6; dim noise in all colours."""
    pixels = np.random.default_rng(3).integers(0, 30, (32, 48, 3)).astype(np.uint8)
    pixels[8:16, 32:40, 0] = 250
    pixels[24:32, 0:8, 1] = 250
    return pixels


@pytest.fixture(scope="session")
def averaged_picture() -> Any:
    return np.random.default_rng(5).integers(0, 256, (12, 12, 3)).astype(np.uint8)


@pytest.fixture(scope="session")
def squeezenet() -> Model:
    return load("squeezenet")


@pytest.fixture(scope="session")
def explain() -> Explain:
    """Run a method by name on an array or a picture, with its own fill and default settings."""

    def run(
        name: str,
        model: Model,
        given: Any,
        targets: tuple[str | int | Target, ...] = (0,),
        *,
        contrast: bool = False,
        fill: str | None = None,
        task: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Attribution:
        method = methods.get(name)
        sample = _sample(model, given, fill or method.fill)
        resolved = tuple(model.target(target) for target in targets)
        if contrast:
            resolved = against_rivals(model, sample, resolved)
        return method.function(Task(model, sample, resolved, **(task or {})), **method.settings(settings))

    return run


def _sample(model: Model, given: Any, fill: str) -> Sample:
    if isinstance(given, str):
        return image_sample(model, PICTURES / given, fill=fill)
    if isinstance(given, Sample):
        return given
    if given.dtype == np.uint8:
        return image_sample(model, given, features="grid:8", fill=fill)
    return array_sample(model, {"x": given})


@pytest.fixture(scope="session")
def by_hand() -> Any:
    """The map of `curved` and the gradients of its scores by it, by the chain rule: (C, h, w), (targets, C, h, w)."""

    def derive(model: Model, pixels: Any) -> tuple[Any, Any]:
        x = ((pixels.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
        weights = {item.name: numpy_helper.to_array(item).astype(np.float64) for item in model.proto.graph.initializer}
        maps = model.activations(x, "map")[0].astype(np.float64)
        hidden = np.tanh(maps.ravel() @ weights["w"])
        gradients = (weights["v"].T * (1 - hidden**2)) @ weights["w"].T
        return maps, gradients.reshape(-1, *maps.shape)

    return derive

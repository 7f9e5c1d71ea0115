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


def _model(nodes: list[onnx.NodeProto], weights: dict[str, Any], shape: list[Any], classes: int, **facts: Any) -> Model:
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()],
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

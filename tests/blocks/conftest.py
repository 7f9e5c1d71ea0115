"""Small models whose attributions are known in closed form or by differences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from agnostic import models
from agnostic.blocks import as_sample
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.inputs.sample import Sample


def build(nodes: Sequence[Any], weights: dict[str, Any], shape: Sequence[int], classes: int) -> Model:
    """A model from x (n, *shape) to scores (n, classes)."""
    graph = helper.make_graph(
        list(nodes),
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        [
            numpy_helper.from_array(
                np.asarray(value, None if np.asarray(value).dtype.kind == "i" else np.float32), name
            )
            for name, value in weights.items()
        ],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(proto, full_check=True)
    return load(proto, device="cpu", preprocess={"size": list(shape[1:]), "mean": [0.0], "std": [1.0]})


def _typed(value: Any) -> Any:
    array = np.asarray(value)
    return array if array.dtype.kind == "i" else array.astype(np.float32)


node = helper.make_node


@pytest.fixture(scope="session")
def smooth() -> Model:
    """Convolution, tanh (`early`), convolution, softplus (`late`), mean over positions, classifier."""
    random = np.random.default_rng(5)
    nodes = [
        node("Conv", ["x", "k1"], ["early/pre"], kernel_shape=[2, 2]),
        node("Tanh", ["early/pre"], ["early"]),
        node("Conv", ["early", "k2"], ["late/pre"], kernel_shape=[2, 2]),
        node("Softplus", ["late/pre"], ["late"]),
        node("GlobalAveragePool", ["late"], ["pooled"]),
        node("Flatten", ["pooled"], ["flat"]),
        node("MatMul", ["flat", "head"], ["scores"]),
    ]
    weights = {
        "k1": random.normal(size=(4, 3, 2, 2)),
        "k2": random.normal(size=(5, 4, 2, 2)),
        "head": random.normal(size=(5, 3)),
    }
    return build(nodes, weights, [3, 6, 6], 3)


@pytest.fixture(scope="session")
def channels_last() -> Model:
    """The same kind of model with its maps kept channels last."""
    random = np.random.default_rng(2)
    nodes = [
        node("Conv", ["x", "kernel"], ["map/pre"], kernel_shape=[3, 3], strides=[2, 2]),
        node("Transpose", ["map/pre"], ["map/last"], perm=[0, 2, 3, 1]),
        node("Relu", ["map/last"], ["map"]),
        node("ReduceMean", ["map"], ["mean"], axes=[1, 2], keepdims=0),
        node("MatMul", ["mean", "head"], ["scores"]),
    ]
    weights = {"kernel": random.normal(size=(5, 3, 3, 3)), "head": random.normal(size=(5, 2))}
    return build(nodes, weights, [3, 9, 11], 2)


@pytest.fixture(scope="session")
def tokens() -> Model:
    """A 4 x 6 picture to 2 x 3 patches and a class token, a tanh on every token, their mean, a classifier."""
    random = np.random.default_rng(3)
    nodes = [
        node("Conv", ["x", "kernel"], ["patches"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", ["patches", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["places"], perm=[0, 2, 1]),
        node("Shape", ["x"], ["batch"], start=0, end=1),
        node("Concat", ["batch", "cls_tail"], ["spread"], axis=0),
        node("Expand", ["cls", "spread"], ["special"]),
        node("Concat", ["special", "places"], ["joined"], axis=1),
        node("Add", ["joined", "position"], ["tokens"]),
        node("MatMul", ["tokens", "w"], ["mixed/pre"]),
        node("Tanh", ["mixed/pre"], ["mixed"]),
        node("ReduceMean", ["mixed"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "head"], ["scores"]),
    ]
    weights = {
        "kernel": random.normal(size=(4, 3, 2, 2)),
        "rows": np.array([0, 4, -1]),
        "cls_tail": np.array([1, 4]),
        "cls": random.normal(size=(1, 1, 4)),
        "position": random.normal(size=(1, 7, 4)),
        "w": random.normal(size=(4, 4)),
        "head": random.normal(size=(4, 2)),
    }
    return build(nodes, weights, [3, 4, 6], 2)


@pytest.fixture(scope="session")
def on_smooth(smooth: Model) -> Sample:
    return as_sample(smooth, np.random.default_rng(1).normal(size=(1, 3, 6, 6)).astype(np.float32))


@pytest.fixture(scope="session")
def cat(squeezenet_model: Model) -> Sample:
    return as_sample(squeezenet_model, models.picture("cat_and_coffee"))

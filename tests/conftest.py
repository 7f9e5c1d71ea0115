"""What the tests of several rooms share: small models written as text, and the embedded one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

import agnostic
from agnostic import models
from agnostic.engine.model import Model

Build = Callable[..., ModelProto]
Open = Callable[..., Model]


def _graph(
    text: str,
    weights: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    rename: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """Build a model from ONNX's text form; `rename` gives tensors names that the text form cannot write."""
    graph = onnx.parser.parse_graph(text)
    for name, value in (weights or {}).items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    for value in (*proto.graph.input, *proto.graph.output):
        value.name = (rename or {}).get(value.name, value.name)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            names[:] = [(rename or {}).get(name, name) for name in names]
    for key, entry in (metadata or {}).items():
        proto.metadata_props.add(key=key, value=entry)
    return proto


@pytest.fixture(scope="session")
def graph() -> Build:
    return _graph


@pytest.fixture(scope="session")
def opened() -> Open:
    """Build a model from text and open it on the CPU."""

    def opened(text: str, weights: Mapping[str, Any] | None = None, **options: Any) -> Model:
        building = {name: options.pop(name) for name in ("opset", "rename", "metadata") if name in options}
        return agnostic.load(_graph(text, weights, **building), device="cpu", **options)

    return opened


@pytest.fixture(scope="session")
def linear(opened: Open) -> Callable[..., Model]:
    """A model with a batch axis whose scores are x @ weights, weights being (features, classes)."""

    def linear(weights: Any, **options: Any) -> Model:
        weights = np.asarray(weights, np.float32)
        text = f"g (float[n,{weights.shape[0]}] x) => (float[n,{weights.shape[1]}] y) {{ y = MatMul(x, w) }}"
        return opened(text, {"w": weights}, **options)

    return linear


@pytest.fixture(scope="session")
def squeezenet_model() -> Model:
    return agnostic.load("squeezenet", device="cpu")


@pytest.fixture(scope="session")
def cat_and_coffee() -> Path:
    return models.picture("cat_and_coffee")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)

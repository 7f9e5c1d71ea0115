"""Checks that the tests of operators share: onnxruntime gives the values, float64 finite differences the gradients."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import ModelProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

from agnostic.converters.torch_import import to_torch

_ORACLE = Path(__file__).parents[2] / "conformance" / "oracle.py"
Check = Callable[..., None]


def _load_oracle() -> Any:
    spec = importlib.util.spec_from_file_location("conformance_oracle", _ORACLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oracle = _load_oracle()


def one_node(
    op: str, attributes: dict[str, Any], inputs: Sequence[Any], outputs: int, opset: int, domain: str
) -> ModelProto:
    """Make a model of one node whose inputs are all graph inputs; None leaves one out."""
    names = ["" if value is None else f"i{index}" for index, value in enumerate(inputs)]
    results = [f"o{index}" for index in range(outputs)]
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(value.dtype), _declared(value, bool(domain))
        )
        for name, value in zip(names, inputs, strict=True)
        if value is not None
    ]
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    graph = helper.make_graph([node], "one", values, [ValueInfoProto(name=name) for name in results])
    imports = {"": opset, **({domain: 1} if domain else {})}
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*pair) for pair in imports.items()], ir_version=10
    )


def _declared(value: Any, fused: bool) -> list[int | None]:
    """Leave lengths free, but those of lists of sizes and axes and of fused operators, which the runtime must know."""
    return list(value.shape) if fused or (value.dtype == np.int64 and value.ndim == 1) else [None] * value.ndim


def runtime(model: ModelProto, inputs: Sequence[Any]) -> list[Any]:
    """Run in onnxruntime with its optimiser off."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def slopes(model: ModelProto, inputs: Sequence[Any], question: Any) -> dict[int, float]:
    """Differentiate the oracle's weighting of the outputs along its directions, through the re-import in float64."""
    tensors = [torch.from_numpy(np.array(value)) for value in inputs]
    moved = [d.index for d in question.derivatives]
    for index in moved:
        tensors[index] = tensors[index].double().requires_grad_()
    results = to_torch(model, dtype=torch.float64)(*tensors)
    outputs = results if isinstance(results, tuple) else (results,)
    pairs = [(torch.from_numpy(w), y) for w, y in zip(question.weights, outputs, strict=True) if w is not None]
    total = sum((w * y).sum() for w, y in pairs)
    if not isinstance(total, torch.Tensor) or not total.requires_grad:
        return dict.fromkeys(moved, 0.0)
    grads = torch.autograd.grad(total, [tensors[i] for i in moved], allow_unused=True)
    found = zip(question.derivatives, grads, strict=True)
    return {d.index: 0.0 if g is None else float((g.numpy() * d.direction).sum()) for d, g in found}


@pytest.fixture
def check() -> Check:
    """Compare a one-node model with onnxruntime, and its gradients with finite differences.

    ``judge="reference"`` takes the values from onnx.reference, for operators that onnxruntime lacks; ``smooth=False``
    says that no input has a derivative to compare.
    """

    def compare(
        op: str,
        attributes: dict[str, Any],
        *inputs: Any,
        outputs: int = 1,
        opset: int = 22,
        domain: str = "",
        judge: str = "runtime",
        smooth: bool = True,
        tolerance: float = 1e-5,
        slope_tolerance: float = 1e-4,
    ) -> None:
        model = one_node(op, attributes, inputs, outputs, opset, domain)
        given = [value for value in inputs if value is not None]
        if judge == "runtime":
            expected = runtime(model, given)
        else:
            feeds = {f"i{i}": value for i, value in enumerate(inputs) if value is not None}
            expected = ReferenceEvaluator(model).run(None, feeds)
        results = to_torch(model)(*(torch.from_numpy(np.array(value)) for value in given))
        found = results if isinstance(results, tuple) else (results,)
        for a, b in zip(found, expected, strict=True):
            assert a.numpy().dtype == b.dtype
            np.testing.assert_allclose(a.numpy(), b, rtol=tolerance, atol=tolerance)
        if smooth:
            _compare_slopes(model, given, expected, slope_tolerance)

    return compare


def _compare_slopes(model: ModelProto, inputs: Sequence[Any], expected: Sequence[Any], rtol: float) -> None:
    question = oracle.ask(model, inputs, expected)
    if question is None or not _measured(question):  # some operators are computed in float32 only
        question, rtol = oracle.ask_coarsely(runtime, model, inputs), 2e-2
    found, measured = slopes(model, inputs, question), _measured(question)
    assert measured, "no derivative was measured: the test would prove nothing"
    for d in measured:
        np.testing.assert_allclose(found[d.index], d.value, rtol=rtol, atol=rtol * 0.1)


def _measured(question: Any) -> list[Any]:
    known = [d for d in question.derivatives if d.value is not None]
    return known if any(abs(d.value) > 1e-6 for d in known) else []

"""Directional derivatives by central differences of onnxruntime or onnx.reference on a float64 copy of the model.

Nothing of ours takes part: the model under test is differentiated here by running it at nearby points elsewhere.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, GraphProto, ModelProto, TensorProto, TypeProto, numpy_helper
from onnx.reference import ReferenceEvaluator

T = TensorProto
_NARROW = {T.FLOAT, T.FLOAT16, T.BFLOAT16}
_TYPED = ("to", "dtype", "output_dtype", "stash_type", "softmax_precision")
_STEPS = (1e-4, 1e-5)
Run = Callable[[Sequence[Any]], list[Any]]
RunModel = Callable[[ModelProto, Sequence[Any]], list[Any]]
Total = Callable[[Sequence[Any]], float]


class Derivative(NamedTuple):
    """What moving one input along a direction does to a weighting of the outputs; None where it is not smooth."""

    index: int
    direction: np.ndarray
    value: float | None


class Question(NamedTuple):
    """The weights that make the outputs one number, the derivatives of it, and who computed them."""

    weights: list[np.ndarray | None]
    derivatives: list[Derivative]
    judge: str


def ask(model: ModelProto, inputs: Sequence[Any], expected: Sequence[Any], seed: int = 0) -> Question | None:
    """Differentiate a random weighting of the float outputs by every float input.

    None if nobody can run the copy, or nobody's answer on the inputs themselves is the expected one.
    """
    wide = doubled(model)
    feeds = [x.astype(np.float64) if _is_float(x) else x for x in inputs]
    names = [value.name for value in wide.graph.input if value.name not in {t.name for t in wide.graph.initializer}]
    for judge, make in (("onnxruntime", _runtime), ("onnx.reference", _reference)):
        try:
            run = make(wide, names)
            base = run(feeds)
        except Exception:
            continue
        if not all(map(_close, base, expected)):
            continue
        return _measured(run, feeds, base, np.random.default_rng(seed), judge)
    return None


def ask_coarsely(
    run: Callable[[ModelProto, Sequence[Any]], list[Any]], model: ModelProto, inputs: Sequence[Any]
) -> Question:
    """Differentiate a float32 model as it is, with a step that float32 can resolve; good to about one per cent."""
    rng = np.random.default_rng(0)
    base = run(model, inputs)
    weights = [_weights(value, rng) for value in base]

    def total(values: Sequence[Any]) -> float:
        pairs = [(w, y) for w, y in zip(weights, run(model, values), strict=True) if w is not None]
        return sum(float((w * y.astype(np.float64)).sum()) for w, y in pairs)

    derivatives = []
    for index, x in enumerate(inputs):
        if _is_float(x):
            direction = rng.standard_normal(x.shape)
            ends = [[*inputs[:index], (x + h * direction).astype(x.dtype), *inputs[index + 1 :]] for h in (2e-3, -2e-3)]
            derivatives.append(Derivative(index, direction, (total(ends[0]) - total(ends[1])) / 4e-3))
    return Question(weights, derivatives, "onnxruntime in float32")


def _close(found: Any, expected: Any) -> bool:
    if not _is_float(expected):
        return True
    wide = expected.astype(np.float64)
    tolerance = 1e-3 if expected.dtype == np.float32 else 2e-2
    return found.shape == wide.shape and np.allclose(found, wide, rtol=tolerance, atol=tolerance, equal_nan=True)


def _measured(run: Run, feeds: list[Any], base: list[Any], rng: np.random.Generator, judge: str) -> Question:
    weights = [_weights(value, rng) for value in base]

    def total(values: Sequence[Any]) -> float:
        pairs = [(w, y) for w, y in zip(weights, run(values), strict=True) if w is not None]
        return sum(float((w * np.nan_to_num(y, posinf=0, neginf=0)).sum()) for w, y in pairs)

    derivatives = []
    for index, x in enumerate(feeds):
        if not _is_float(x) or not x.size:
            continue
        direction = rng.standard_normal(x.shape)
        derivatives.append(Derivative(index, direction, _slope(total, feeds, index, direction)))
    return Question(weights, derivatives, judge)


def _slope(total: Total, feeds: list[Any], index: int, direction: np.ndarray) -> float | None:
    """Central differences at two steps that must agree, or the point is a kink, a jump, or lost in rounding."""

    def moved(step: float) -> float:
        values = [x + step * direction if i == index else x for i, x in enumerate(feeds)]
        return total(values)

    try:
        first, second = ((moved(h) - moved(-h)) / (2 * h) for h in _STEPS)
    except Exception:
        return None
    centre = moved(0.0)
    if abs(centre) * 1e-15 > 1e-4 * _STEPS[1] * (1 + abs(second)):
        return None
    # One-sided slopes that differ give away a kink at the very point, where any value between them is a derivative.
    sides = [(moved(h) - centre) / h for h in (_STEPS[1], -_STEPS[1])]
    if not np.isfinite([first, second, *sides]).all():
        return None
    close = np.isclose(first, second, rtol=1e-3, atol=1e-6) and np.isclose(*sides, rtol=1e-2, atol=1e-4)
    return second if close else None


def _weights(value: Any, rng: np.random.Generator) -> np.ndarray | None:
    if not _is_float(value):
        return None
    return np.where(np.isfinite(value), rng.standard_normal(value.shape), 0.0)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and (value.dtype.kind == "f" or value.dtype.name == "bfloat16")


def _runtime(model: ModelProto, names: list[str]) -> Run:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda values: session.run(None, dict(zip(names, values, strict=True)))


def _reference(model: ModelProto, names: list[str]) -> Run:
    evaluator = ReferenceEvaluator(model)

    def run(values: Sequence[Any]) -> list[Any]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return evaluator.run(None, dict(zip(names, values, strict=True)))

    return run


def doubled(model: ModelProto) -> ModelProto:
    """Copy a model with every float of up to 32 bits declared, stored and cast as float64."""
    copy = ModelProto()
    copy.CopyFrom(model)
    _double_graph(copy.graph)
    for function in copy.functions:
        for node in function.node:
            _double_node(node)
    return copy


def _double_graph(graph: GraphProto) -> None:
    for value in [*graph.input, *graph.output]:
        _double_type(value.type)
    del graph.value_info[:]
    for tensor in graph.initializer:
        _double_tensor(tensor)
    for node in graph.node:
        _double_node(node)


def _double_node(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _double_tensor(attribute.t)
        elif attribute.type == AttributeProto.GRAPH:
            _double_graph(attribute.g)
        elif attribute.name in _TYPED and attribute.i in _NARROW:
            attribute.i = T.DOUBLE
    if node.op_type == "Constant":
        _double_constant(node)


def _double_constant(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name in ("value_float", "value_floats") and not attribute.ref_attr_name:
            numbers = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            tensor = numpy_helper.from_array(np.asarray(numbers, np.float64))
            attribute.CopyFrom(onnx.helper.make_attribute("value", tensor))


def _double_tensor(tensor: TensorProto) -> None:
    if tensor.data_type in _NARROW:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def _double_type(kind: TypeProto) -> None:
    if kind.HasField("sequence_type"):
        _double_type(kind.sequence_type.elem_type)
    elif kind.HasField("optional_type"):
        _double_type(kind.optional_type.elem_type)
    elif kind.tensor_type.elem_type in _NARROW:
        kind.tensor_type.elem_type = T.DOUBLE

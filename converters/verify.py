"""The same outputs before and after: models compared by running them.

The only module of this room that runs a model; onnxruntime is imported when one is run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from agnostic.converters.graph import real_inputs
from agnostic.errors import ModelError, UsageError

Array: TypeAlias = NDArray[Any]
Feeds: TypeAlias = Mapping[str, Array]

# What a size that is not fixed is taken to be: sequences of 8, pictures of 32 by 32.
_LENGTH, _SIDE = 8, 32


@dataclass(frozen=True)
class Comparison:
    """How far two models are apart on the same inputs.

    Attributes:
        largest: The largest absolute difference; infinite where shapes differ or only one is not a number.
        worst: The name of the output it was found in.
        relative: The largest difference as a part of the largest value of the first model's output.
    """

    largest: float
    worst: str
    relative: float


def compare(a: ModelProto, b: ModelProto, feeds: Feeds, outputs: Sequence[str] | None = None) -> Comparison:
    """Run two models on the same inputs and measure how far their outputs are apart.

    Args:
        a: The first model.
        b: The second; it may lack inputs of the first, which it is then not given.
        feeds: Arrays by input name.
        outputs: The outputs to compare; all that both models have when None.
    """
    names = list(outputs) if outputs is not None else _shared(a, b)
    if not names:
        raise UsageError("the two models have no output in common; name the outputs to compare")
    rows = zip(names, run(a, feeds, names), run(b, feeds, names), strict=True)
    return max((difference(name, left, right) for name, left, right in rows), key=lambda found: found.largest)


def same(
    a: ModelProto, b: ModelProto, feeds: Feeds, outputs: Sequence[str] | None = None, *, tolerance: float = 1e-5
) -> bool:
    """Tell whether two models differ by no more than a part of the largest output value."""
    return compare(a, b, feeds, outputs).relative <= tolerance


def run(proto: ModelProto, feeds: Feeds, outputs: Sequence[str] | None = None) -> list[Array]:
    """Run a model once on the CPU, without changing its graph for speed, and return its outputs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    quiet = onnxruntime.RunOptions()
    quiet.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        wanted = {value.name for value in session.get_inputs()}
        given = {name: array for name, array in feeds.items() if name in wanted}
        return list(session.run(outputs, given, quiet))
    except Exception as error:
        raise ModelError(f"onnxruntime cannot run the model: {' '.join(str(error).split())[:200]}") from error


def random_feeds(proto: ModelProto, batch: int = 2, seed: int = 0) -> dict[str, Array]:
    """Make random inputs that fit a model: normal numbers, or small counts for integers.

    Args:
        proto: The model.
        batch: The size of a first axis that is not fixed.
        seed: The same seed gives the same arrays.
    """
    rng = np.random.default_rng(seed)
    return {value.name: _random(value, batch, rng) for value in real_inputs(proto.graph)}


def _shared(a: ModelProto, b: ModelProto) -> list[str]:
    there = {value.name for value in b.graph.output}
    return [value.name for value in a.graph.output if value.name in there]


def difference(name: str, left: Array, right: Array) -> Comparison:
    """Measure how far two answers are apart; infinitely, where their shapes or their words differ."""
    if left.shape != right.shape:
        return Comparison(np.inf, name, np.inf)
    if left.dtype.kind not in "fiub":
        unequal = 0.0 if bool(np.all(left == right)) else np.inf
        return Comparison(unequal, name, unequal)
    x, y = left.astype(np.float64), right.astype(np.float64)
    gaps = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    largest = float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))
    scale = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
    return Comparison(largest, name, largest / scale if scale else largest)


def _random(value: ValueInfoProto, batch: int, rng: np.random.Generator) -> Array:
    kind = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    unknown = _SIDE if len(dims) >= 4 else _LENGTH
    shape = [size if size is not None else unknown if axis else batch for axis, size in enumerate(dims)]
    if kind.elem_type == TensorProto.STRING:
        return rng.choice(np.array(["one", "two", "three"], object), shape)
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if np.issubdtype(dtype, np.bool_) or np.issubdtype(dtype, np.integer):
        return rng.integers(0, 2, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)

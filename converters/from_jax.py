"""JAX to ONNX by jax2onnx: functions, flax modules (nnx) and equinox modules. JAX saves weights and no graphs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.converters import tidy
from agnostic.converters.conversion import Array, Converted, Feeds, Request, matched, needs_example
from agnostic.errors import ConversionError


def convert(source: Any, request: Request) -> Converted:
    """Convert a callable that maps arrays with a batch axis to arrays.

    Raises:
        ConversionError: an example is missing, or jax2onnx does not know a primitive.
    """
    import jax
    import jax2onnx

    if isinstance(source, Path):
        raise ConversionError(
            f"{source.name}: JAX saves weights without their function; give FILE.py:NAME, a Python file of yours in "
            "which NAME is the function or module with its weights"
        )
    names, arrays = _inputs(source, request)
    function = _inference(source)
    specs = [jax.ShapeDtypeStruct(("B", *array.shape[1:]), array.dtype) for array in arrays]
    options = {} if request.opset is None else {"opset": request.opset}
    proto = jax2onnx.to_onnx(function, inputs=specs, **options)
    count = len(proto.graph.output)
    outputs = ["output"] if count == 1 else [f"output_{place}" for place in range(count)]
    proto = tidy.tidy(proto, {**tidy.ends(proto, names, outputs), **tidy.slashed(proto)})

    def answer(feeds: Feeds) -> dict[str, Array]:
        made = jax.tree_util.tree_leaves(function(*(feeds[name] for name in names)))
        return {name: np.asarray(leaf) for name, leaf in zip(outputs, made, strict=True)}

    return Converted(proto, answer, likeness=dict(zip(names, arrays, strict=True)) if request.example else {})


def _inputs(source: Any, request: Request) -> tuple[list[str], list[Array]]:
    if request.example:
        count = len(request.example)
        names = ["input"] if count == 1 else [f"input_{place}" for place in range(count)]
        given = matched(request, names) if all(name.isdigit() for name in request.example) else dict(request.example)
        # JAX computes in 32 bits, whatever it is given.
        return list(given), [np.asarray(a, np.float32) if a.dtype == np.float64 else a for a in given.values()]
    if request.shapes:
        names = ["input"] if len(request.shapes) == 1 else [f"input_{place}" for place in range(len(request.shapes))]
        return names, [np.zeros((2, *shape), np.float32) for shape in request.shapes]
    raise needs_example(f"the function {getattr(source, '__name__', type(source).__name__)}")


def _inference(source: Any) -> Callable[..., Any]:
    """Switch dropout and batch statistics off in a flax module."""
    if hasattr(source, "eval"):
        source.eval()
    if not callable(source):
        raise ConversionError(
            f"a {type(source).__name__} is no function; give a module with its weights, or a function"
        )
    found: Callable[..., Any] = source
    return found

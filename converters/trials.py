"""Inputs on which a source and its conversion are compared: given rows, and random ones at two batch sizes."""

from typing import NamedTuple

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper

from agnostic.converters.conversion import Array, Converted, Feeds
from agnostic.converters.graph import real_inputs
from agnostic.errors import AgnosticError, ConversionError

# One row, because exporters squeeze it away, and a few, because they write that one down.
BATCHES = (1, 3)
_GIVEN_ROWS = 16
# What a size that is not fixed is taken to be: sequences of 8, pictures of 32 by 32.
_LENGTH, _SIDE = 8, 32


class Trial(NamedTuple):
    """Inputs, and what the source answers to them."""

    feeds: dict[str, Array]
    answers: dict[str, Array]


def trials(found: Converted, seed: int = 0) -> list[Trial]:
    """Ask the source on random rows, one and several at a time, and on the rows it came with.

    Raises:
        ConversionError: the source cannot answer.
    """
    rng = np.random.default_rng(seed)
    values = real_inputs(found.proto.graph)
    batches = BATCHES if _batch_is_free(values) else (1,)
    asked = [{value.name: _drawn(value, found.likeness, rows, rng) for value in values} for rows in batches]
    if found.likeness:
        rows = _GIVEN_ROWS if _batch_is_free(values) else max(map(_fixed_rows, values))
        asked.append({value.name: _rows(value, found.likeness, rows, rng) for value in values})
    return [Trial(feeds, _answered(found, feeds)) for feeds in asked]


def _answered(found: Converted, feeds: dict[str, Array]) -> dict[str, Array]:
    try:
        answers = found.answer(feeds)
    except AgnosticError:
        raise
    except Exception as error:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in feeds.items())
        raise ConversionError(
            f"the source model cannot answer for {shapes} ({type(error).__name__}: {_line(error)}); give an example "
            "of what it takes with --example FILE.npy"
        ) from error
    names = [value.name for value in found.proto.graph.output]
    return {name: np.asarray(answers[name]) for name in names if name in answers}


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _fixed_rows(value: ValueInfoProto) -> int:
    """Return the size of a batch axis that is fixed; 0 for a free one."""
    dims = value.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if dims and dims[0].HasField("dim_value") else 0


def _batch_is_free(values: list[ValueInfoProto]) -> bool:
    return not any(map(_fixed_rows, values))


def _rows(value: ValueInfoProto, likeness: Feeds, count: int, rng: np.random.Generator) -> Array:
    """Take rows as they were given; draw what was not."""
    if value.name not in likeness:
        shortest = min(len(rows) for rows in likeness.values())
        return _drawn(value, {}, min(shortest, count), rng)
    return _cast(likeness[value.name][:count], value)


def _drawn(value: ValueInfoProto, likeness: Feeds, rows: int, rng: np.random.Generator) -> Array:
    """Draw rows of each entry from between the least and the largest value that it has in the given ones."""
    rows = _fixed_rows(value) or rows
    if value.name in likeness:
        return _cast(_alike(likeness[value.name], rows, rng), value)
    kind = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    unknown = _SIDE if len(dims) >= 4 else _LENGTH
    shape = [size if size is not None else unknown if axis else rows for axis, size in enumerate(dims)]
    if kind.elem_type == TensorProto.STRING:
        return rng.choice(np.array(["one", "two", "three"], object), shape)
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
    if dtype.kind in "biu":
        return rng.integers(0, 2, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def _alike(given: Array, rows: int, rng: np.random.Generator) -> Array:
    if given.dtype.kind in "OU":
        # Text keeps its rows: words in random order are no text, categories that mix are no rows either.
        return given[rng.integers(0, len(given), rows)]
    numbers = np.where(np.isfinite(given), given, 0) if given.dtype.kind == "f" else given
    low, high = numbers.min(axis=0), numbers.max(axis=0)
    if given.dtype.kind in "iub":
        return np.asarray(rng.integers(low, high.astype(np.int64) + 1, (rows, *given.shape[1:])))
    flat = high <= low
    drawn = low + rng.random((rows, *given.shape[1:])) * np.where(flat, 1, high - low)
    return np.asarray(np.where(flat & (len(given) > 1), low, drawn))


def _cast(array: Array, value: ValueInfoProto) -> Array:
    dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return array.astype(object) if dtype.kind in "OU" else array.astype(dtype)


def batch_sizes(tried: list[Trial]) -> list[int]:
    """List how many rows each trial has."""
    return [len(next(iter(trial.feeds.values()))) for trial in tried]

"""Inputs, outputs and layers as arrays: names, types and axes, and whether what a user gives fits them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from agnostic.converters.layers import Layer
from agnostic.engine.runtime import as_dtype
from agnostic.engine.target import Array
from agnostic.errors import InputError, ModelError


@dataclass(frozen=True)
class Tensor:
    """An input or output of the graph: its sizes with the batch axis, a name for each free one."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str, ...]

    @property
    def is_integer(self) -> bool:
        """Whether it holds integers."""
        return bool(np.issubdtype(self.dtype, np.integer))

    @property
    def is_text(self) -> bool:
        """Whether it holds strings."""
        return self.dtype == np.dtype(object)

    def __str__(self) -> str:
        """Write it as `image float32 [batch, 3, 224, 224]`."""
        kind = "string" if self.is_text else self.dtype
        return f"{self.name} {kind} [{', '.join(map(str, self.shape))}]"


def tensor_of(value: onnx.ValueInfoProto) -> Tensor:
    """Read a declaration.

    Raises:
        ModelError: it is no tensor.
    """
    kind = value.type
    if not kind.HasField("tensor_type"):
        raise ModelError(
            f"{value.name!r} is a {kind.WhichOneof('value')}, not a tensor; export the model with plain tensors"
        )
    dims = kind.tensor_type.shape.dim
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims)
    return Tensor(value.name, onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type), shape)


def without_batch(shape: Sequence[int | str]) -> tuple[int | None, ...]:
    """The sizes behind the batch axis, None where one is free."""
    return tuple(size if isinstance(size, int) else None for size in shape[1:])


def stored_shape(layer: Layer) -> tuple[int | None, ...]:
    """The layer's sizes in the tensor's own axis order."""
    rest = list(layer.shape)
    channels = rest.pop(0 if layer.kind != "tokens" else -1)
    rest.insert(layer.channel_axis - 1, channels)
    return tuple(rest)


def class_axis_of(shape: tuple[int | None, ...], labels: int) -> int:
    """The axis as long as the labels, else the first that is longer than one."""
    if labels and shape.count(labels) == 1:
        return shape.index(labels)
    return next((axis for axis, size in enumerate(shape) if size != 1), 0)


def fitted(item: Tensor, given: Any) -> Array:
    """Cast one input, after checking its axes against the declaration."""
    if item.is_text:
        return _texts(item, given)
    try:
        value: Array = np.asarray(given)
    except ValueError as error:
        raise InputError(f"input {item}: the rows are not equally long; give a full array") from error
    if value.dtype.kind in "OUSTMmc":
        raise InputError(f"input {item}: got an array of dtype {value.dtype}; give numbers")
    _check_axes(item, value)
    if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
        raise InputError(f"input {item}: the array holds NaN or infinite values; clean it first")
    return as_dtype(value, item.dtype)


def _texts(item: Tensor, given: Any) -> Array:
    """Check what goes into an input of strings: an array of dtype object."""
    value: Array = np.asarray(given, object)
    if not all(isinstance(text, str) for text in value.ravel()):
        raise InputError(f"input {item}: expected strings, got {type(next(iter(value.ravel()), None)).__name__}")
    _check_axes(item, value)
    return value


def _check_axes(item: Tensor, value: Array) -> None:
    if value.ndim != len(item.shape):
        raise InputError(f"input {item}: expected {len(item.shape)} axes, got shape {list(value.shape)}")
    for axis, (size, expected) in enumerate(zip(value.shape, item.shape, strict=False)):
        if axis and isinstance(expected, int) and expected > 0 and size != expected:
            raise InputError(f"input {item}: expected size {expected} along axis {axis}, got shape {list(value.shape)}")


def repeated(value: Array, rows: int) -> Array:
    """Give one row as many times as there are rows."""
    return value if len(value) == rows else np.repeat(value[:1], rows, axis=0)

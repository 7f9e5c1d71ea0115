"""An array the model eats, given as it is: each entry behind the batch axis is a feature."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.signature import Tensor
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError
from agnostic.inputs.features import NumericFeatures
from agnostic.inputs.sample import Sample

LARGEST_ARRAY = 2**28


def read_array(path: Path) -> Array:
    """Read a .npy file; never one that holds pickled objects."""
    try:
        if path.stat().st_size > LARGEST_ARRAY:
            raise InputError(f"{path}: larger than {LARGEST_ARRAY >> 20} MB")
        values: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "not a plain .npy array"
        raise InputError(f"{path}: cannot be read as an array: {reason}") from error
    if not isinstance(values, np.ndarray):
        raise InputError(f"{path}: an archive of several arrays; give one .npy file per input as NAME=FILE")
    return values


def one_row(model: Model, tensor: Tensor, value: Array) -> Array:
    """Give an array the batch axis of one row, where the input has a batch axis.

    Raises:
        InputError: it holds several rows, or has the wrong number of axes.
    """
    batched = tensor.name in model.batched_inputs
    if batched and value.ndim == len(tensor.shape) - 1:
        value = value[None]
    if value.ndim != len(tensor.shape):
        raise InputError(f"input {tensor}: got an array of shape {list(value.shape)}")
    if batched and len(value) != 1:
        raise InputError(f"input {tensor}: got {len(value)} rows; an explanation is of one, give x[:1]")
    return value


def beside(name: str, value: Any) -> Array:
    """Read what is given for an input beside the one that is explained: a number, a .npy file, or an array.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(value, str | os.PathLike) and Path(value).suffix == ".npy":
        return read_array(Path(value))
    try:
        array: Array = np.asarray(float(value) if isinstance(value, str) else value)
    except ValueError:
        raise InputError(f"input {name!r}: {value!r} is no number; give a number or a .npy file") from None
    return array


def complete(model: Model, given: Mapping[str, Array]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Fill in the inputs that were not given: zeros, and a note that says so."""
    arrays, notes = dict(given), []
    for tensor in model.inputs:
        if tensor.name not in arrays:
            shape = [size if isinstance(size, int) and size > 0 else 1 for size in tensor.shape]
            if tensor.name in model.batched_inputs:
                shape[0] = 1
            arrays[tensor.name] = np.zeros(shape, tensor.dtype)
            notes.append(f"input {tensor} was not given: zeros assumed; give it as {tensor.name}=FILE.npy or a number")
    return arrays, tuple(notes)


def array_sample(
    model: Model,
    given: Mapping[str, Array],
    *,
    source: str | None = None,
    baseline: float | npt.ArrayLike = 0.0,
    labels: npt.NDArray[np.int32] | None = None,
    name: str = "array",
) -> Sample:
    """Make a sample of arrays, with one feature per entry.

    Args:
        model: the model.
        given: arrays by input name, (1, ...) or without the batch axis.
        source: the input to explain; the first one given by default.
        baseline: the value of an entry that is off, or one per entry.
        labels: (...) int, groups of entries to switch together instead of single ones.
        name: what a person calls it.

    Raises:
        InputError: an array does not fit its input.
    """
    tensors = {tensor.name: tensor for tensor in model.inputs}
    rows = {key: one_row(model, tensors[key], value) if key in tensors else value for key, value in given.items()}
    arrays, notes = complete(model, rows)
    arrays = model.feeds(arrays)
    source = source or next(iter(given))
    if arrays[source].ndim < 2 or source not in model.batched_inputs:
        raise InputError(f"input {tensors[source]} has no entries behind a batch axis: explain another input")
    x = np.asarray(arrays[source][:1], np.float32)
    try:
        fill = np.broadcast_to(np.asarray(baseline, np.float32), x.shape).copy()
    except ValueError:
        raise UsageError(f"baseline: shape {list(np.shape(baseline))} does not fit the input {list(x.shape)}") from None
    groups = np.arange(x.size).reshape(x.shape[1:]) if labels is None else np.asarray(labels)
    names = feature_names(groups)
    features = NumericFeatures(
        source=source, x=x, fill=fill, labels=groups.astype(np.int32), view=lambda out: out[:, None], names=names,
        identities=names,
    )  # fmt: skip
    return Sample(arrays, source, features, name, notes=notes, shown={"kind": "sequence"})


def feature_names(labels: npt.NDArray[np.integer[Any]]) -> tuple[str, ...]:
    """Number the features of a label map, after checking that they count up from zero."""
    found = np.unique(labels)
    if found.size == 0 or found.dtype.kind not in "iu" or found[0] != 0 or found[-1] != found.size - 1:
        raise UsageError("features: the labels must be integers that count up from 0 without gaps")
    return tuple(f"feature {index}" for index in range(found.size))

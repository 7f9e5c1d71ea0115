"""Whatever a user gives, turned into a sample: a path, a picture, pixels, or the arrays that the model eats."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.engine.model import Model
from agnostic.engine.signature import Tensor
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.array import array_sample, complete, read_array
from agnostic.inputs.image import declared_or_assumed, image_sample, picture_input, pixel_sample
from agnostic.inputs.sample import Sample

Anything = Any
DEFAULT_FEATURES = "superpixels"
DEFAULT_FILL = "blur"


def read_sample(
    model: Model,
    given: Anything,
    *,
    source: str | None = None,
    features: str | npt.NDArray[np.int32] | None = None,
    fill: str | None = None,
    baseline: npt.ArrayLike = 0.0,
    seed: int = 0,
) -> Sample:
    """Make the sample that fits what is given and the model.

    Args:
        model: the model.
        given: a path (picture or .npy), a PIL image, pixels (uint8), the array of the explained input, or any of
            these by input name ("" is the input that fits).
        source: the input that is explained; the first picture, else the first input given, by default.
        features: the pieces of a picture (see `inputs.regions`); groups of entries for other arrays.
        fill: what stands in where a piece of a picture is off (see `inputs.fills`).
        baseline: what stands in where an entry of another array is off.
        seed: of the noise fill.

    Raises:
        InputError: what is given cannot be read or does not fit the model.
        UsageError: an unknown input, feature or fill.
    """
    by_name = dict(given) if isinstance(given, Mapping) else {"": given}
    if not by_name:
        raise InputError("no input was given; expected a picture, an array, or one of them per input name")
    if "" in by_name:
        value = by_name.pop("")
        by_name = {_default_input(model, value, source): value, **by_name}
    stray = sorted(set(by_name) - {tensor.name for tensor in model.inputs})
    if stray:
        raise unknown("input", stray[0], [tensor.name for tensor in model.inputs])
    source = source or next(
        (name for name, value in by_name.items() if _is_picture(model, name, value)), next(iter(by_name))
    )
    if source not in by_name:
        raise UsageError(f"the input {source!r} is to be explained but was not given")
    others = {name: _array(model, name, value) for name, value in by_name.items() if name != source}
    value = by_name[source]
    pieces: str | npt.NDArray[np.int32] = DEFAULT_FEATURES if features is None else features
    cover = fill or DEFAULT_FILL
    if _is_picture(model, source, value):
        return image_sample(model, value, source=source, others=others, features=pieces, fill=cover, seed=seed)
    arrays = {source: _array(model, source, value), **others}
    if _eats_pictures(model, _tensor(model, source)):
        return pixel_sample(model, arrays, features=pieces, fill=cover, seed=seed)
    if isinstance(features, str):
        raise UsageError(f"features {features!r} are pieces of a picture; the input {source!r} is none")
    return array_sample(model, arrays, source=source, baseline=baseline, labels=features)


def _default_input(model: Model, given: Anything, source: str | None) -> str:
    if source is not None:
        return source
    picture = _looks_like_picture(given) and not _is_number(given)
    return picture_input(model).name if picture else model.inputs[0].name


def _tensor(model: Model, name: str) -> Tensor:
    return next(tensor for tensor in model.inputs if tensor.name == name)


def _looks_like_picture(value: Anything) -> bool:
    if isinstance(value, str | os.PathLike):
        return Path(value).suffix != ".npy"
    return isinstance(value, Image.Image)


def _is_picture(model: Model, name: str, value: Anything) -> bool:
    """Whether a value is a picture, not the array itself: a PIL image, a file, or pixels short of the batch axis."""
    if isinstance(value, np.ndarray):
        axes = len(_tensor(model, name).shape)
        return value.dtype == np.uint8 and value.ndim < axes == 4 and value.ndim in (2, 3)
    return _looks_like_picture(value) and not _is_number(value)


def _is_number(value: Anything) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _array(model: Model, name: str, value: Anything) -> Array:
    """Read one input's value: an array, a number, a .npy file, or a picture for a second picture input."""
    if _is_picture(model, name, value):
        return image_sample(model, value, source=name, features="grid:1").arrays[name]
    if isinstance(value, str | os.PathLike) and not _is_number(value):
        return read_array(Path(value))
    tensor = _tensor(model, name)
    try:
        array: Array = np.asarray(float(value) if isinstance(value, str) else value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biufV":
        raise InputError(f"input {tensor}: expected numbers in rows of equal length, got a {type(value).__name__}")
    if array.ndim == 0 and tensor.shape:
        filled, _ = complete(model, {})
        array = np.full(filled[name].shape, array)
    return array


def _eats_pictures(model: Model, tensor: Tensor) -> bool:
    """Whether an input's array can be shown as a picture."""
    if len(tensor.shape) != 4:
        return model.preprocess is not None and len(tensor.shape) == 3
    try:
        declared_or_assumed(model, tensor)
    except InputError:
        return False
    return True

"""Whatever a user gives, turned into a sample by the first kind of input that recognises it.

A kind is a pair of functions: `recognises(model, name, given, reading)` and `sample(model, given, reading)`. Kinds that
a file or a declaration tells for certain are asked first; a picture is what is left of files, an array of values.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.engine.model import Model
from agnostic.engine.signature import Tensor
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs import series, table
from agnostic.inputs.array import array_sample, complete, read_array
from agnostic.inputs.image import declared_or_assumed, image_sample, picture_input, pixel_sample
from agnostic.inputs.sample import Sample, Text
from agnostic.inputs.text import is_text, text_sample, texts_in

Anything = Any
DEFAULT_FEATURES = "superpixels"
DEFAULT_FILL = "blur"


@dataclass(frozen=True)
class Reading:
    """How what is given is to be read.

    Attributes:
        source: the input that is explained; the first picture, else the first input given, by default.
        features: the pieces; what they may be depends on the kind of input (a picture's: see `inputs.regions`).
        fill: what stands in where a piece is off, as the user wants it (a picture's: see `inputs.fills`).
        usual_fill: what stands in for a piece of a picture where the user says nothing.
        baseline: what stands in where an entry of another array, or a column of a table, is off; by default 0, or what
            the model declares of its columns.
        seed: of everything random.
        row: which row of a file of rows, from 0.
        background: rows that stand in where a column is off: a file or an array.
    """

    source: str | None = None
    features: str | npt.NDArray[np.int32] | None = None
    fill: str | None = None
    usual_fill: str = DEFAULT_FILL
    baseline: npt.ArrayLike | None = None
    seed: int = 0
    row: int | None = None
    background: Anything = None


class Kind(NamedTuple):
    """One kind of input that is no picture and no plain array.

    Attributes:
        recognises: whether what is given is of this kind.
        sample: makes the sample.
        apart: takes what may hold several inputs apart, as a table its rows: (name, what `sample` reads) each; None
            where it always is one.
    """

    recognises: Callable[[Model, str, Anything, Reading], bool]
    sample: Callable[[Model, Mapping[str, Anything], Reading], Sample]
    apart: Callable[[Model, Anything, Reading], list[tuple[str, Anything]]] | None = None


# A series is asked for before a table, which takes any file with columns; a table of several inputs has to come before
# a text, because some of its inputs may be words.
KINDS: tuple[Kind, ...] = (
    Kind(series.recognises, series.series_sample),
    Kind(table.recognises, table.table_sample, table.table_apart),
    Kind(is_text, text_sample),
)


def read_sample(model: Model, given: Anything, reading: Reading | None = None, **how: Any) -> Sample:
    """Make the sample that fits what is given and the model.

    Args:
        model: the model.
        given: a path (picture or .npy), a PIL image, pixels (uint8), the array of the explained input, a text where
            the model eats text, or any of these by input name ("" is the input that fits).
        reading: how to read it.
        **how: the fields of `Reading`, where none is given.

    Raises:
        InputError: what is given cannot be read or does not fit the model.
        UsageError: an unknown input, feature or fill, or a setting that this kind of input does not have.
    """
    reading = reading or Reading(**how)
    by_name = dict(given) if isinstance(given, Mapping) else {"": given}
    if not by_name:
        raise InputError("no input was given; expected a picture, an array, or one of them per input name")
    return replace(_read(model, by_name, reading), again=partial(_another, model, dict(by_name), reading))


def _read(model: Model, by_name: dict[str, Anything], reading: Reading) -> Sample:
    for kind in KINDS:
        if any(kind.recognises(model, name, value, reading) for name, value in by_name.items()):
            return kind.sample(model, by_name, reading)
    _check_no_picture(model, by_name)
    return _picture_or_array(model, dict(by_name), reading)


def _another(model: Model, by_name: Mapping[str, Anything], reading: Reading, given: str) -> Sample:
    """Read something else in the place of the explained input: a row of the same table, a text, or a file."""
    if reading.row is not None and given.isdigit():
        return read_sample(model, by_name, replace(reading, row=int(given)))
    explained = "" if "" in by_name else reading.source or next(iter(by_name))
    value = Text(given) if isinstance(by_name[explained], Text) and not Path(given).is_file() else given
    return read_sample(model, {**by_name, explained: value}, reading)


def several_of(model: Model, given: Anything) -> list[Anything] | None:
    """Return what is given as a list of samples, such as several texts; None where it is one."""
    return texts_in(model, given)


def _check_no_picture(model: Model, by_name: Mapping[str, Anything]) -> None:
    """Refuse a file that is no table where that is what the model says it eats."""
    declared = [kind for kind in ("table", "series") if kind in model.declared]
    eats_pictures = model.preprocess is not None or any(len(tensor.shape) > 3 for tensor in model.inputs)
    for value in by_name.values():
        if declared and not eats_pictures and _looks_like_picture(value) and not _is_number(value):
            given = value if isinstance(value, str | os.PathLike) else "a picture"
            what = {"table": "the rows of a table", "series": "a series"}[declared[0]]
            raise InputError(
                f"{given}: the model eats {what}; expected a .csv, .tsv or .npy file, or .parquet for a table"
            )


def _picture_or_array(model: Model, by_name: dict[str, Anything], reading: Reading) -> Sample:
    if reading.row is not None or reading.background is not None:
        option = "--row" if reading.row is not None else "--background"
        raise UsageError(f"{option} goes with a table; give a .csv or .parquet file, or drop it")
    source = reading.source
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
    pieces: str | npt.NDArray[np.int32] = DEFAULT_FEATURES if reading.features is None else reading.features
    cover = reading.fill or reading.usual_fill
    if _is_picture(model, source, value):
        return image_sample(
            model, value, source=source, others=others, features=pieces, fill=cover, seed=reading.seed
        )  # fmt: skip
    arrays = {source: _array(model, source, value), **others}
    if _eats_pictures(model, _tensor(model, source)):
        return pixel_sample(model, arrays, features=pieces, fill=cover, seed=reading.seed)
    if isinstance(reading.features, str):
        raise UsageError(f"features {reading.features!r} are pieces of a picture; the input {source!r} is none")
    return array_sample(
        model,
        arrays,
        source=source,
        baseline=0.0 if reading.baseline is None else reading.baseline,
        labels=reading.features,
    )


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

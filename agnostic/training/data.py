"""A training set: labels, the rows that a model eats, and what a person sees of a sample.

`TrainingSet` is what the rest of this package reads; `Arrays`, `Pictures`, `Texts` and `Columns` are the kinds there
are. `data_files.open_data` makes one of a path.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.blocks.examples_files import row_at
from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import InputError
from agnostic.inputs.image import declared_or_assumed, picture_input
from agnostic.inputs.picture import on_white, open_picture
from agnostic.training.store import Ints

Pixels = npt.NDArray[np.uint8]
#: Fewer rows or columns of pixels are a table, not a picture.
LEAST_SIDE = 4


class Shown(NamedTuple):
    """What a person sees of a sample: one of these, the others None.

    Attributes:
        picture: (h, w, 3) uint8.
        text: the text itself.
        values: names and values of a row.
    """

    picture: Pixels | None = None
    text: str | None = None
    values: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, eq=False)
class TrainingSet(ABC):
    """Samples 0 to n - 1.

    Attributes:
        labels: (n,) int64, the assigned classes.
        class_names: what the classes are called, where that is known.
        names: what the samples are called, where they have names.
    """

    labels: Ints
    class_names: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """How many samples."""
        return len(self.labels)

    @abstractmethod
    def rows(self, model: Model, ids: Ints) -> dict[str, Array]:
        """What the model eats for some samples, by input name.

        Raises:
            InputError: the data does not fit the model.
        """

    @abstractmethod
    def shown(self, number: int) -> Shown:
        """What a person sees of a sample."""

    @abstractmethod
    def digest(self) -> bytes:
        """A fingerprint of what the samples are."""

    def fingerprint(self) -> str:
        """A fingerprint of samples and labels."""
        return hashlib.sha256(self.labels.tobytes() + self.digest()).hexdigest()

    def checked(self, classes: int | None) -> "TrainingSet":
        """Give the set back if its labels fit a model of so many classes.

        Raises:
            InputError: a label is out of range.
        """
        worst = int(self.labels.max(initial=0))
        if classes is not None and worst >= classes:
            at = int(self.labels.argmax())
            raise InputError(f"sample {at} has the label {worst}; the model has the classes 0 to {classes - 1}")
        return self


@dataclass(frozen=True, eq=False)
class Arrays(TrainingSet):
    """Arrays as the model eats them, or pixels (uint8) that its preprocessing turns into that.

    Attributes:
        inputs: by input name, (n, ...); "" is the input that fits.
    """

    inputs: Mapping[str, Array] = field(default_factory=dict)

    def rows(self, model: Model, ids: Ints) -> dict[str, Array]:
        """Take rows of the arrays."""
        return {name or self._main(model, value): self._fed(model, value[ids]) for name, value in self.inputs.items()}

    def shown(self, number: int) -> Shown:
        """Show the first array that looks like a picture, else its numbers."""
        value = next(iter(self.inputs.values()))[number]
        pixels = as_pixels(value, *self._range)
        if pixels is not None:
            return Shown(picture=pixels)
        numbers = np.asarray(value).reshape(-1)[:200]
        return Shown(values=tuple((f"feature {at}", f"{item:.4g}") for at, item in enumerate(numbers.tolist())))

    def digest(self) -> bytes:
        """Hash the arrays."""
        parts = [hashlib.sha256(np.ascontiguousarray(self.inputs[name]).data).digest() for name in sorted(self.inputs)]
        return b"".join(parts)

    @cached_property
    def _range(self) -> tuple[float, float]:
        value = next(iter(self.inputs.values()))
        if value.dtype == np.uint8:
            return 0.0, 255.0
        sample = np.asarray(value[: min(len(value), 256)], np.float64)
        return float(sample.min()), float(sample.max())

    def _main(self, model: Model, value: Array) -> str:
        return picture_input(model).name if _is_pixels(value) and len(model.inputs) > 1 else model.inputs[0].name

    def _fed(self, model: Model, value: Array) -> Array:
        if not _is_pixels(value):
            return value
        tensor = picture_input(model)
        if tensor.is_integer and len(tensor.shape) == value.ndim:
            return value
        preprocess, _ = declared_or_assumed(model, tensor)
        return np.stack([preprocess.row(_fitting(item, preprocess)) for item in value])


def _fitting(pixels: Array, preprocess: Any) -> Pixels:
    from PIL import Image

    from agnostic.inputs.image import fit

    fitted = fit(open_picture(np.asarray(pixels, np.uint8)), preprocess)
    return np.asarray(fitted.resize(preprocess.size[::-1], Image.Resampling.BILINEAR))


def _is_pixels(value: Array) -> bool:
    return value.dtype == np.uint8 and (value.ndim == 3 or (value.ndim == 4 and value.shape[3] in (3, 4)))


def arrays(x: Any, labels: npt.ArrayLike, *, class_names: Sequence[str] | None = None) -> Arrays:
    """Make a training set of arrays.

    Args:
        x: (n, ...) as the model eats it, pixels as (n, h, w) or (n, h, w, 3) uint8, or such arrays by input name.
        labels: (n,) the assigned classes.
        class_names: what they are called.

    Raises:
        InputError: the sizes differ, or a label is no class.
    """
    inputs = {str(name): np.asarray(value) for name, value in (x.items() if isinstance(x, Mapping) else [("", x)])}
    given = whole_labels(labels)
    wrong = next((name for name, value in inputs.items() if value.ndim < 1 or len(value) != len(given)), None)
    if wrong is not None or not inputs:
        raise InputError(f"{len(given)} labels, but another number of rows in {wrong or 'x'}; give one label a row")
    return Arrays(given, None if class_names is None else tuple(class_names), None, inputs)


def whole_labels(labels: npt.ArrayLike) -> Ints:
    """Check that labels are classes: whole numbers from 0, one a sample.

    Raises:
        InputError: they are not.
    """
    given = np.asarray(labels)
    if given.ndim == 1 and given.dtype.kind == "f" and np.isfinite(given).all() and (given == given.round()).all():
        given = given.astype(np.int64)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not given.size or given.min() < 0:
        raise InputError(f"labels: expected class numbers from 0, one a sample; got {given.dtype} {list(given.shape)}")
    whole: Ints = given.astype(np.int64)
    return whole


@dataclass(frozen=True, eq=False)
class Pictures(TrainingSet):
    """Files of pictures, read when they are needed.

    Attributes:
        paths: one a sample.
    """

    paths: tuple[Path, ...] = ()

    def rows(self, model: Model, ids: Ints) -> dict[str, Array]:
        """Read the files and bring them to what the model eats."""
        tensor = picture_input(model)
        preprocess, _ = declared_or_assumed(model, tensor)
        made = [row_at(self.paths[number], preprocess) for number in ids.tolist()]
        return {tensor.name: np.stack(made)}

    def shown(self, number: int) -> Shown:
        """Read the file."""
        return Shown(picture=np.asarray(on_white(open_picture(self.paths[number]))))

    def digest(self) -> bytes:
        """Hash the names; the pictures themselves may be many."""
        return hashlib.sha256("\0".join(self.names or ()).encode("utf-8", "replace")).digest()


@dataclass(frozen=True, eq=False)
class Texts(TrainingSet):
    """Texts, for a model that eats strings.

    Attributes:
        texts: one a sample.
    """

    texts: tuple[str, ...] = ()

    def rows(self, model: Model, ids: Ints) -> dict[str, Array]:
        """Lay the texts out as the model's text input has them."""
        tensor = next((tensor for tensor in model.inputs if tensor.is_text), None)
        if tensor is None:
            raise InputError("the training set holds texts, and no input of the model does; give arrays (.npz)")
        column = np.array([self.texts[number] for number in ids.tolist()], object)
        return {tensor.name: column.reshape(-1, *[1] * (len(tensor.shape) - 1))}

    def shown(self, number: int) -> Shown:
        """The text."""
        return Shown(text=self.texts[number])

    def digest(self) -> bytes:
        """Hash the texts."""
        return hashlib.sha256("\0".join(self.texts).encode("utf-8", "replace")).digest()


@dataclass(frozen=True, eq=False)
class Columns(TrainingSet):
    """The columns of a table.

    Attributes:
        columns: by name, (n,) each: numbers or texts.
    """

    columns: Mapping[str, Array] = field(default_factory=dict)

    def rows(self, model: Model, ids: Ints) -> dict[str, Array]:
        """Give each input its column, or the one input all columns side by side."""
        inputs = {tensor.name: tensor for tensor in model.inputs}
        if set(inputs) <= set(self.columns):
            return {name: self._shaped(name, ids, len(tensor.shape)) for name, tensor in inputs.items()}
        if len(inputs) > 1:
            missing = sorted(set(inputs) - set(self.columns))
            raise InputError(f"the model has the input {missing[0]!r}, the table no such column")
        words = [name for name, values in self.columns.items() if values.dtype.kind not in "biuf"]
        if words:
            raise InputError(f"column {words[0]!r} holds texts; the model eats numbers side by side: leave it out")
        return {model.inputs[0].name: np.stack([values[ids] for values in self.columns.values()], axis=1)}

    def shown(self, number: int) -> Shown:
        """The row, column by column."""
        return Shown(values=tuple((name, _said(values[number])) for name, values in self.columns.items()))

    def digest(self) -> bytes:
        """Hash the columns."""
        text = "\0".join(f"{name}\1{values.tolist()}" for name, values in self.columns.items())
        return hashlib.sha256(text.encode("utf-8", "replace")).digest()

    def _shaped(self, name: str, ids: Ints, axes: int) -> Array:
        column: Array = self.columns[name][ids]
        return column.reshape(-1, *[1] * (axes - 1))


def _said(value: Any) -> str:
    return f"{float(value):.6g}" if isinstance(value, np.number) else str(value)


def as_pixels(value: Array, low: float, high: float) -> Pixels | None:
    """Show an array as a picture where it has the axes of one: (h, w), (c, h, w) or (h, w, c); else None.

    Args:
        value: the array.
        low: what becomes black.
        high: what becomes white.
    """
    planes = np.asarray(value)
    if planes.dtype.kind not in "biuf":
        return None
    if planes.ndim == 3 and planes.shape[0] in (1, 3) and planes.shape[2] not in (1, 3):
        planes = planes.transpose(1, 2, 0)
    if planes.ndim == 2:
        planes = planes[..., None]
    if planes.ndim != 3 or planes.shape[2] not in (1, 3) or min(planes.shape[:2]) < LEAST_SIDE:
        return None
    shares = np.clip((planes.astype(np.float64) - low) / ((high - low) or 1.0), 0, 1)
    return np.broadcast_to(np.rint(255 * shares), (*planes.shape[:2], 3)).astype(np.uint8)

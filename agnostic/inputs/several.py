"""What a user gives as a data set, taken apart into single inputs: folders, files of lines, arrays of several rows."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agnostic.engine.model import Model
from agnostic.errors import InputError
from agnostic.inputs.array import read_array
from agnostic.inputs.reading import KINDS, Reading
from agnostic.inputs.sample import Text
from agnostic.inputs.text import lines_of

PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class Single(NamedTuple):
    """One input: what a person calls it, and what `read_sample` reads."""

    name: str
    given: Any


def singles(model: Model, given: Any, reading: Reading) -> list[Single]:
    """Take what is given apart.

    Args:
        model: the model.
        given: one input, or several in a list; a folder of pictures, a .txt file with one text a line, an array or .npy
            file of several rows, or a file of another kind that holds several.
        reading: how it is to be read.

    Raises:
        InputError: a folder or file has nothing in it, or cannot be read.
    """
    several = isinstance(given, Sequence) and not isinstance(given, str | bytes)
    found = [single for item in (given if several else [given]) for single in _apart(model, item, reading)]
    if not found:
        raise InputError("no input was given; expected several: files, a folder, or rows")
    return found


def _apart(model: Model, given: Any, reading: Reading) -> Iterator[Single]:
    kind = next((kind for kind in KINDS if kind.recognises(model, "", given, reading)), None)
    if kind is not None and kind.apart is not None:
        yield from (Single(name, item) for name, item in kind.apart(model, given, reading))
        return
    path = Path(given) if isinstance(given, str | os.PathLike) and not isinstance(given, Text) else None
    if path is not None and path.is_dir():
        yield from _in_folder(path)
    elif path is not None and path.suffix == ".txt":
        yield from _lines(path)
    elif isinstance(given, np.ndarray) or (path is not None and path.suffix == ".npy"):
        yield from _rows(
            model, read_array(path) if path is not None else given, path.name if path else "array", reading
        )
    else:
        yield Single(_name(given), given)


def _name(given: Any) -> str:
    if isinstance(given, Mapping):
        return _name(next(iter(given.values()), ""))
    return str(given) if isinstance(given, str | os.PathLike) else "input"


def _in_folder(folder: Path) -> Iterator[Single]:
    files = sorted(
        file for file in folder.rglob("*") if file.suffix.lower() in PICTURES and not _is_hidden(file, folder)
    )
    if not files:
        raise InputError(f"{folder}: no picture in this folder; expected files such as .png or .jpg")
    yield from (Single(str(file.relative_to(folder)), file) for file in files)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _lines(path: Path) -> Iterator[Single]:
    yield from (Single(f"{path.stem}-{number}", Text(line)) for number, line in enumerate(lines_of(path), start=1))


def _rows(model: Model, values: np.ndarray[Any, Any], name: str, reading: Reading) -> Iterator[Single]:
    """Take an array apart along the batch axis, where its input has one."""
    tensor = next((item for item in model.inputs if item.name == reading.source), model.inputs[0])
    if tensor.name not in model.batched_inputs or values.ndim != len(tensor.shape):
        yield Single(name, values)
        return
    yield from (Single(f"{name} row {number}", values[number : number + 1]) for number in range(len(values)))

"""A training set from a path: a folder of pictures, an archive of arrays, or a table.

* a folder with one folder of pictures for each class, or with a `labels.csv` of `file,label` lines;
* an .npz file with `y` (or `labels`) and `x`, or one array for each input of the model by its name;
* a table (.csv, .tsv, .parquet) with a column of labels: its other columns, or the one of texts.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.tabular import SUFFIXES, as_table
from agnostic.training.data import Columns, Pictures, Texts, TrainingSet, arrays, whole_labels
from agnostic.training.store import Ints

#: Bytes that a training set's file may hold once it is unpacked.
LARGEST = 2**34
LABELS, TARGETS = "labels.csv", ("y", "labels")
_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"})


def open_data(path: Path, *, label_column: str = "label", classes: Sequence[str] | None = None) -> TrainingSet:
    """Open a training set; see this module for what it may be.

    Args:
        path: a folder or a file.
        label_column: which column of a table holds the labels.
        classes: what the model calls its classes; labels that are words are looked up here, or else numbered in
            alphabetical order.

    Raises:
        InputError: it cannot be read, is too large, or a sample has no label.
        UsageError: a table has no such column.
    """
    if path.is_dir():
        return _folder(path, classes)
    if not path.is_file():
        raise InputError(f"--data {path}: no such file or folder; give a folder of pictures, .npz, .csv or .parquet")
    if path.suffix == ".npz":
        return _archive(path, classes)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"--data {path}: expected a folder of pictures, .npz, or a table ({', '.join(SUFFIXES)})")
    return _table(path, _columns(path), label_column, classes)


def _folder(root: Path, classes: Sequence[str] | None) -> Pictures:
    if (root / LABELS).is_file():
        pairs = _listed(root)
    else:
        files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix.lower() in _ENDINGS)
        pairs = [(path, path.relative_to(root).parts[0]) for path in files if path.parent != root]
    if not pairs:
        raise InputError(f"--data {root}: expected one folder of pictures for each class, or a {LABELS}")
    labels, names = _numbered([word for _, word in pairs], classes)
    shown = tuple(path.relative_to(root).as_posix() for path, _ in pairs)
    return Pictures(labels, names, shown, tuple(path for path, _ in pairs))


def _listed(root: Path) -> list[tuple[Path, str]]:
    columns = _columns(root / LABELS)
    if not {"file", "label"} <= set(columns):
        raise InputError(f"{root / LABELS}: expected the columns file and label, got {', '.join(columns)}")
    top = root.resolve()
    pairs = []
    for name, label in zip(columns["file"].tolist(), columns["label"].tolist(), strict=True):
        path = root / str(name)
        if not path.resolve().is_relative_to(top) or not path.is_file():
            raise InputError(f"{root / LABELS}: {str(name)!r} is no file in {root}")
        pairs.append((path, _word(label)))
    return pairs


def _word(label: Any) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _numbered(words: Sequence[str], classes: Sequence[str] | None) -> tuple[Ints, tuple[str, ...] | None]:
    """Turn labels into class numbers: as the model calls them, as numbers, or in alphabetical order."""
    lowered = {name.lower(): index for index, name in enumerate(classes or ())}
    if all(word.lower() in lowered for word in words):
        return np.array([lowered[word.lower()] for word in words], np.int64), tuple(classes or ())
    if all(word.isdecimal() and word.isascii() for word in words):
        return whole_labels([int(word) for word in words]), None if classes is None else tuple(classes)
    found = sorted(set(words))
    number = {word: index for index, word in enumerate(found)}
    return np.array([number[word] for word in words], np.int64), tuple(found)


def _archive(path: Path, classes: Sequence[str] | None) -> TrainingSet:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(item.file_size for item in archive.infolist())
        if size > LARGEST:
            raise InputError(f"{path}: unpacks to {size >> 30} GB; {LARGEST >> 30} GB at most")
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "not an archive of plain arrays"
        raise InputError(f"{path}: cannot be read: {reason}") from error
    name = next((name for name in TARGETS if name in held), None)
    if name is None or len(held) < 2:
        raise InputError(f"{path}: holds {', '.join(held) or 'nothing'}; expected the arrays x and y")
    labels = held.pop(name)
    inputs = {"" if list(held) == ["x"] else key: value for key, value in held.items()}
    if labels.dtype.kind in "US":
        numbers, found = _numbered([str(word) for word in labels.tolist()], classes)
        return arrays(inputs, numbers, class_names=found)
    return arrays(inputs, labels, class_names=classes)


def _columns(path: Path) -> dict[str, Array]:
    """Read a table by columns: float64 where every cell is a number, else object."""
    table = as_table(path, largest=LARGEST)
    if table.names is None:
        raise InputError(f"{path}: every cell of the first line is a number; expected a header of names")
    columns = zip(*table.pick(range(table.count)), strict=True)
    return {name: _column(path, name, cells) for name, cells in zip(table.names, columns, strict=True)}


def _column(path: Path, name: str, cells: Sequence[Any]) -> Array:
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    except (TypeError, ValueError, OverflowError):
        if not all(isinstance(cell, str) for cell in cells):
            raise InputError(f"{path}: column {name!r} holds neither numbers nor texts throughout") from None
    return np.array(cells, object)


def _table(path: Path, columns: dict[str, Array], label_column: str, classes: Sequence[str] | None) -> TrainingSet:
    if label_column not in columns:
        raise unknown("column", label_column, columns, f"{path.name} has {', '.join(columns)}; see --label-column")
    words = columns.pop(label_column)
    labels, found = _numbered([_word(word) for word in words.tolist()], classes)
    if not columns:
        raise UsageError(f"{path}: has no column but the labels")
    bad = next((name for name, held in columns.items() if held.dtype.kind == "f" and not np.isfinite(held).all()), None)
    if bad is not None:
        raise InputError(f"{path}: column {bad!r} has missing or infinite values; fill them in first")
    only = next(iter(columns.values()))
    if len(columns) == 1 and only.dtype.kind == "O":
        return Texts(labels, found, None, tuple(only.tolist()))
    return Columns(labels, found, None, columns)

"""From cells to what a model eats: columns matched by name, numbers and words read, categories turned into codes."""

import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import InputError
from agnostic.inputs.columns import Column, Columns, entries
from agnostic.inputs.tabular import Cells, Table

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?"})
_BOOLEANS = {"true": 1.0, "false": 0.0}
_PLAIN = frozenset({int, float, np.float64, np.float32, np.int64, np.int32})


class Matching(NamedTuple):
    """Which column of a table each of the model's columns is, and what a user should know of it."""

    places: tuple[int, ...]
    notes: tuple[str, ...]


def match(columns: Columns, table: Table) -> Matching:
    """Find the model's columns in a table: by name, or by position where the table has no names and the counts agree.

    Raises:
        InputError: one is missing; the nearest names are offered.
    """
    wanted = columns.names
    if table.names is None:
        if table.width != len(wanted):
            raise InputError(
                f"{table.origin}: {table.width} columns without names, the model eats {len(wanted)}; "
                "expected a header, or as many columns in the model's order"
            )
        note = f"{table.origin} has no header: columns taken in the model's order"
        return Matching(tuple(range(len(wanted))), (note,) if columns.declared else ())
    names = table.names
    plain = {_plain(name): at for at, name in reversed(list(enumerate(names)))}
    places = [names.index(name) if name in names else plain.get(_plain(name)) for name in wanted]
    if None in places:
        raise _lacking(table.origin, wanted[places.index(None)], names)
    ignored = [name for at, name in enumerate(names) if at not in places]
    note = f"{table.origin}: the model does not eat {', '.join(map(repr, ignored[:8]))}{' ...' * (len(ignored) > 8)}"
    return Matching(tuple(at for at in places if at is not None), (note,) if ignored else ())


def _plain(name: str) -> str:
    """Spell a name as converters do, which leave no spaces or signs in the names of inputs.

    >>> _plain("Mean radius (mm)")
    'mean_radius_mm'
    """
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


def _lacking(origin: str, name: str, names: Sequence[str]) -> InputError:
    near = get_close_matches(name, names, n=3, cutoff=0.5)
    tip = f"the nearest are {', '.join(map(repr, near))}" if near else f"it has {', '.join(map(repr, names[:8]))}"
    return InputError(f"{origin}: the column {name!r} is missing; {tip}")


def encode(
    model: Model, columns: Columns, rows: Sequence[Cells], numbers: Sequence[int], origin: str
) -> dict[str, Array]:
    """Turn cells, in the order of the columns, into arrays by input name: (rows, ...) each, of the input's own type.

    Args:
        model: the model.
        columns: what the columns are.
        rows: the cells.
        numbers: what to call each row in an error.
        origin: and the table.

    Raises:
        InputError: a cell is empty, no number, no known category, or does not fit the type of its input.
    """
    tensors = {tensor.name: tensor for tensor in model.inputs}
    arrays: dict[str, Array] = {}
    for name in columns.inputs:
        mine = [(at, column) for at, column in enumerate(columns.columns) if column.input == name]
        width = entries(tensors[name]) or sum(len(column.places) for _, column in mine)
        kind = object if tensors[name].is_text else np.float64
        flat: Array = np.zeros((len(rows), width), kind)
        for at, column in mine:
            plain = _all_numbers([cells[at] for cells in rows], column, tensors[name].dtype)
            if plain is not None:
                flat[:, column.places[0]] = plain
                continue
            for row, (number, cells) in enumerate(zip(numbers, rows, strict=True)):
                where = f"{origin}: row {number}, column {column.name!r}"
                flat[row, list(column.places)] = code(cells[at], column, columns.missing, tensors[name].dtype, where)
        sizes = [size if isinstance(size, int) else -1 for size in tensors[name].shape[1:]]
        arrays[name] = flat.reshape(len(rows), *sizes).astype(tensors[name].dtype)
    return arrays


def _all_numbers(cells: Sequence[Any], column: Column, dtype: "np.dtype[Any]") -> npt.NDArray[np.float64] | None:
    """Read a column at once where it holds plain numbers that its floating input can take; None elsewhere."""
    if column.kind != "number" or dtype not in (np.float32, np.float64):
        return None
    if not all(type(cell) in _PLAIN for cell in cells):
        return None
    values = np.asarray(cells, np.float64)
    return values if bool((np.abs(values) <= float(np.finfo(dtype).max)).all()) else None


def code(cell: Any, column: Column, missing: bool, dtype: "np.dtype[Any]", where: str) -> Any:
    """Read one cell: the number, word or codes that go into the entries of its column.

    Raises:
        InputError: it cannot be that.
    """
    if is_missing(cell):
        return _nothing(column, missing, dtype, where)
    if column.kind == "number":
        return _fitting(_number(cell, where), dtype, where)
    word = _word(cell)
    if column.categories is None:
        return word
    if word not in column.categories:
        near = get_close_matches(word, column.categories, n=3, cutoff=0.5) or column.categories[:8]
        raise InputError(f"{where}: unknown category {word!r}; expected {', '.join(map(repr, near))}")
    at = column.categories.index(word)
    if len(column.places) > 1:
        return [float(place == at) for place in range(len(column.places))]
    return word if dtype == np.dtype(object) else float(at)


def is_missing(cell: Any) -> bool:
    """Whether a cell is empty, in any of the ways that files and frames have for it.

    >>> [is_missing(cell) for cell in (None, " ", "N/A", float("nan"), 0, "0")]
    [True, True, True, True, False, False]
    """
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _MISSING):
        return True
    try:
        return bool(cell != cell)
    except (TypeError, ValueError):
        # pandas' own NA refuses to be compared.
        return True


def _nothing(column: Column, missing: bool, dtype: "np.dtype[Any]", where: str) -> Any:
    if not missing:
        raise InputError(f"{where}: the cell is empty; fill it in, or allow it with missing = true under [table]")
    if dtype == np.dtype(object):
        return ""
    if dtype.kind != "f":
        raise InputError(f"{where}: the cell is empty, and its input of {dtype} can hold no NaN; fill it in")
    # A one-hot column says "none of these" by zeros.
    return [0.0] * len(column.places) if len(column.places) > 1 else math.nan


def _number(cell: Any, where: str) -> float:
    text = str(cell).strip()
    if text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    try:
        value = float("" if "_" in text else text)
    except ValueError:
        comma = _is_decimal_comma(text)
        tip = f"write {text.replace(',', '.')}: a comma is no decimal point here" if comma else "expected a number"
        raise InputError(f"{where}: {text[:40]!r} is no number; {tip}") from None
    if not math.isfinite(value):
        raise InputError(f"{where}: {text[:40]!r} is not finite; expected a number")
    return value


def _is_decimal_comma(text: str) -> bool:
    whole, comma, part = text.partition(",")
    return bool(comma) and whole.lstrip("+-").isdigit() and part.isdigit()


def _fitting(value: float, dtype: "np.dtype[Any]", where: str) -> float:
    """Refuse numbers that an input of integers or of a small type would change."""
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if value != round(value) or not bounds.min <= value <= bounds.max:
            raise InputError(
                f"{where}: {value:g} does not fit an input of {dtype}; expected a whole number in its range"
            )
    elif dtype.kind == "b" and value not in (0, 1):
        raise InputError(f"{where}: {value:g} is neither true nor false")
    elif dtype.kind == "f" and abs(value) > float(np.finfo(dtype).max):
        raise InputError(f"{where}: {value:g} is too large for an input of {dtype}")
    return value


def _word(cell: Any) -> str:
    """Spell a category: whole numbers without a decimal point, however the file holds them.

    >>> _word(" red "), _word(3.0), _word(np.int64(3)), _word("3.0")
    ('red', '3', '3', '3.0')
    """
    if isinstance(cell, float | np.floating) and cell == round(cell):
        return str(int(cell))
    return str(cell).strip()


def told(cell: Any, figures: int = 6) -> str:
    """Write a cell as a person reads it: in so many significant figures, no more than forty letters."""
    if is_missing(cell):
        return "missing"
    text = str(cell).strip()
    try:
        value = float(text)
    except ValueError:
        return text if len(text) <= 40 else text[:39] + "…"
    return f"{value:.0f}" if abs(value) < 1e15 and value == round(value) else f"{value:.{figures}g}"


def decode(columns: Columns, row: Cells, where: str) -> list[Any]:
    """Turn a row of codes, one number for each entry of the model's one input, back into cells.

    Raises:
        InputError: a code stands for no category.
    """
    return [_decoded(column, [row[at] for at in column.places], where) for column in columns.columns]


def _decoded(column: Column, codes: Sequence[Any], where: str) -> Any:
    if column.categories is None:
        return codes[0]
    numbers = np.asarray(codes, np.float64)
    if len(codes) > 1:
        if np.count_nonzero(numbers) == 0:
            return None
        at = int(np.argmax(numbers))
        known = numbers[at] == 1 and np.count_nonzero(numbers) == 1
    else:
        if np.isnan(numbers[0]):
            return None
        at = int(numbers[0])
        known = numbers[0] == at and 0 <= at < len(column.categories)
    if not known:
        raise InputError(f"{where}, column {column.name!r}: {numbers.tolist()} is no code of a category")
    return column.categories[at]

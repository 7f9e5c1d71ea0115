"""A row of a table as a sample: its columns are features, and rows of a background stand in for those that are off."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.array import beside, complete
from agnostic.inputs.cells import encode, is_missing, told
from agnostic.inputs.columnar import MixedRow, NumericRow
from agnostic.inputs.columns import Columns, columns_of, entries
from agnostic.inputs.features import Features
from agnostic.inputs.pieces import Pieces, edges_of, interval, outside, pieces
from agnostic.inputs.sample import Sample
from agnostic.inputs.standing import StandIn, read_rows, stand_in_for
from agnostic.inputs.tabular import SUFFIXES, Cells, Table, as_table, is_frame

if TYPE_CHECKING:
    from agnostic.inputs.reading import Reading


def recognises(model: Model, name: str, given: Any, reading: "Reading") -> bool:
    """Whether what is given is a table, a row of one, or a cell of a row.

    A file of a table, a data frame, and rows that name their columns always are; an array or a list is where the model
    declares its columns, or where a row of it is asked for or a background given; a value under the name of a column
    is a cell.
    """
    if isinstance(given, str | os.PathLike) and Path(given).suffix.lower() in SUFFIXES:
        return True
    if is_frame(given) or (isinstance(given, list | tuple) and given and isinstance(given[0], Mapping)):
        return True
    if "table" in model.declared:
        return _is_declared(model, name, given)
    if (reading.row is not None or reading.background is not None) and _is_matrix(model, given):
        return name in ("", model.inputs[0].name)
    return name != "" and _is_cell(model, name, given)


def _is_matrix(model: Model, given: Any) -> bool:
    """Whether an array goes into a model whose one input holds rows."""
    return isinstance(given, np.ndarray | list | tuple) and [len(tensor.shape) for tensor in model.inputs] == [2]


def _is_declared(model: Model, name: str, given: Any) -> bool:
    columns = columns_of(model, None, 0)
    if name in columns.names:
        return True
    rows = isinstance(given, np.ndarray | list | tuple) or (
        isinstance(given, str | os.PathLike) and Path(given).suffix == ".npy"
    )
    return rows and name in ("", *columns.inputs) and len(columns.inputs) == 1


def _is_cell(model: Model, name: str, given: Any) -> bool:
    """Whether a value goes into one of several inputs of one entry each, as pipelines of columns have them."""
    alone = len(model.inputs) > 1 and all(entries(tensor) == 1 for tensor in model.inputs)
    mixed = any(tensor.is_text for tensor in model.inputs) and not all(tensor.is_text for tensor in model.inputs)
    is_file = isinstance(given, str) and Path(given).suffix == ".npy"
    is_one = isinstance(given, str | int | float | np.generic) or given is None
    return alone and mixed and is_one and not is_file and name in {tensor.name for tensor in model.inputs}


def table_sample(model: Model, by_name: Mapping[str, Any], reading: "Reading") -> Sample:
    """Make a sample of one row.

    Args:
        model: the model.
        by_name: the table under "" or under the name of its input, or cells by column; arrays of other inputs by name.
        reading: how it is to be read: row, background, features, baseline, seed.

    Raises:
        InputError: it is no such table, or a cell does not fit.
        UsageError: a setting that a table does not have, or nothing is known that could stand in for a column.
    """
    if reading.fill is not None:
        raise UsageError(
            f"--fill {reading.fill} goes with pictures and series; for the columns of a table give --background or "
            "--baseline"
        )
    given, others = _split(model, by_name)
    table = as_table(given, "the row")
    columns = columns_of(model, table.names, table.width)
    _check_source(columns, reading.source)
    number, notes = _chosen(table, reading.row)
    cells, more = read_rows(model, columns, table, [number])
    row = encode(model, columns, cells, [number], table.origin)
    stand_in = stand_in_for(model, columns, reading)
    cut = pieces(reading.features, columns)
    arrays, rest = complete(model, {**others, **row})
    assumed = () if columns.declared else (_assumed(columns),)
    return Sample(
        model.feeds(arrays),
        columns.inputs[0],
        _features(model, columns, row, stand_in, cut, cells[0]),
        table.origin if table.count == 1 else f"{table.origin} row {number}",
        refill=partial(_refill, stand_in.arrays[columns.inputs[0]]) if len(columns.inputs) == 1 else None,
        notes=(*assumed, *notes, *more, *stand_in.notes, *rest),
        shown=_shown(columns, cells[0], cut, number, stand_in.said),
    )


def table_apart(model: Model, given: Any, reading: "Reading") -> list[tuple[str, Any]]:
    """Take a table apart into rows that `table_sample` reads one by one: (name, row) each."""
    table = as_table(given, "the table")
    cells = table.pick(range(table.count))
    rows = cells if table.names is None else [[dict(zip(table.names, row, strict=True))] for row in cells]
    return [(f"{table.origin} row {number}", row) for number, row in enumerate(rows)]


def _split(model: Model, by_name: Mapping[str, Any]) -> tuple[Any, dict[str, Array]]:
    """Tell the table from the arrays of other inputs."""
    if "" in by_name:
        name = ""
    else:
        names = [name for name, value in by_name.items() if _is_whole(value)]
        if not names:
            return dict(by_name), {}
        name = names[0]
    others = {other: value for other, value in by_name.items() if other != name}
    inputs = [tensor.name for tensor in model.inputs]
    if stray := sorted(set(others) - set(inputs)):
        raise unknown("input", stray[0], inputs)
    return by_name[name], {other: beside(other, value) for other, value in others.items()}


def _is_whole(value: Any) -> bool:
    """Whether a value is a table or a row, and not a cell."""
    if isinstance(value, str | os.PathLike):
        return Path(value).suffix.lower() in (*SUFFIXES, ".npy")
    return is_frame(value) or hasattr(value, "__len__")


def _check_source(columns: Columns, source: str | None) -> None:
    if source is not None and source not in columns.inputs:
        raise UsageError(f"--source {source}: the columns of the table go into {', '.join(columns.inputs)}")


def _chosen(table: Table, row: int | None) -> tuple[int, tuple[str, ...]]:
    """Choose the row, and say so where the user did not."""
    if row is not None and not 0 <= row < table.count:
        raise InputError(f"{table.origin}: there is no row {row}; it has the rows 0 to {table.count - 1}")
    if row is None and table.count > 1:
        return 0, (f"{table.origin}: row 0 of {table.count} is explained; --row N takes another",)
    return row or 0, ()


def _refill(off: Array, fill: str, seed: int) -> npt.NDArray[np.float32]:
    """Take a row of the background for noise: that is how rows differ by chance.

    Raises:
        UsageError: there is none, or another fill is asked for.
    """
    if fill != "noise" or len(off) < 2:
        what = "rows of data with --background FILE, or " if fill == "noise" else ""
        raise UsageError(f"a row of a table is not compared with {fill!r} here; give {what}--baselines fill")
    chosen = off[np.random.default_rng(seed).integers(len(off))]
    return np.asarray(chosen.reshape(1, -1), np.float32)


def _features(
    model: Model, columns: Columns, row: dict[str, Array], stand_in: StandIn, cut: Pieces, cells: Cells
) -> Features:
    """Put row, stand-in and pieces together; numbers of one input can be differentiated, all else only switched."""
    names, off = cut.names, stand_in.arrays
    if cut.bins:
        names, off = _binned(columns, row, off, cut)
    labels = np.concatenate([_labels(columns, name, row[name][0].size, cut) for name in row]).astype(np.int32)
    common: dict[str, Any] = {"labels": labels, "names": names, "identities": cut.identities}
    draws = len(next(iter(off.values())))
    (first, *rest) = row
    if rest or row[first].dtype == np.dtype(object):
        return MixedRow(row=row, off=off, draws=draws, **common)
    background = off[first].reshape(draws, -1).astype(np.float32)
    return NumericRow(
        source=first,
        x=row[first].reshape(1, -1).astype(np.float32),
        fill=background.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32),
        view=lambda out: out.reshape(len(out), 1, -1),
        background=background,
        draws=draws,
        **common,
    )


def _labels(columns: Columns, name: str, size: int, cut: Pieces) -> npt.NDArray[np.intp]:
    """The feature of every entry of an input."""
    labels = np.zeros(size, np.intp)
    for feature, column in zip(cut.of, columns.columns, strict=True):
        if column.input == name:
            labels[list(column.places)] = feature
    return labels


def _binned(
    columns: Columns, row: dict[str, Array], off: dict[str, Array], cut: Pieces
) -> tuple[tuple[str, ...], dict[str, Array]]:
    """Name each column of numbers by its bin, and let what stands in for it lie in another bin.

    Ribeiro, Singh and Guestrin (KDD 2016) explain tables by bins of quartiles. Here a column that is on keeps its own
    value, so that a row with all columns on is the row itself.
    """
    if len(next(iter(off.values()))) < cut.bins:
        raise UsageError(
            f"features bins:{cut.bins}: the bins are those of a background; give at least {cut.bins} rows of one"
        )
    flat = {name: values.reshape(len(values), -1).copy() for name, values in off.items()}
    names = []
    for name, column in zip(cut.names, columns.columns, strict=True):
        values, own = flat[column.input], row[column.input].reshape(-1)
        if column.kind == "category":
            names.append(name)
            continue
        (place,) = column.places
        taken, value = values[:, place].astype(np.float64), float(own[place])
        edges = edges_of(taken, cut.bins)
        values[:, place] = values[outside(value, taken, edges), place]
        names.append(interval(name, value, edges))
    return tuple(names), {name: values.reshape(off[name].shape) for name, values in flat.items()}


def _shown(columns: Columns, cells: Cells, cut: Pieces, row: int, off: str) -> dict[str, Any]:
    """What a person sees of the row, in plain JSON values: per feature its value, as text and as a number."""
    values, numbers = [], []
    for feature in range(len(cut.names)):
        mine = [at for at, of in enumerate(cut.of) if of == feature]
        values.append(
            ", ".join(told(cells[at], 6 if len(mine) == 1 else 3) for at in mine[:3]) + ", ..." * (len(mine) > 3)
        )
        single = len(mine) == 1 and columns.columns[mine[0]].kind == "number" and not is_missing(cells[mine[0]])
        numbers.append(float(cells[mine[0]]) if single and _reads(cells[mine[0]]) else None)
    return {"kind": "table", "row": row, "values": values, "numbers": numbers, "off": off}


def _reads(cell: Any) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _assumed(columns: Columns) -> str:
    where = (
        f"the inputs {', '.join(columns.inputs[:4])}" if len(columns.inputs) > 1 else f"the input {columns.inputs[0]}"
    )
    return (
        f"the model declares no columns; took {len(columns.names)} for {where} by "
        f"{'name' if len(columns.inputs) > 1 else 'position'}; declare them in MODEL.agnostic.toml under [table]"
    )

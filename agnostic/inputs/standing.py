"""What columns take when they are off: the rows of a background, or one value each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import UsageError
from agnostic.inputs.cells import decode, encode, match
from agnostic.inputs.columns import Columns, entries
from agnostic.inputs.tabular import Cells, Table, as_table

if TYPE_CHECKING:
    from agnostic.inputs.reading import Reading

# Every row of the background is one more run of the model for each pattern of features.
MOST_BACKGROUND = 100


def read_rows(
    model: Model, columns: Columns, table: Table, numbers: Sequence[int]
) -> tuple[list[Cells], tuple[str, ...]]:
    """Pick rows of a table: their cells in the order of the model's columns, and what a user should know.

    Rows of codes, one number for each entry of the model's one input, are turned back into what they stand for.

    Raises:
        InputError: a column is missing.
    """
    tensor = next(tensor for tensor in model.inputs if tensor.name == columns.inputs[0])
    coded = table.names is None and len(columns.inputs) == 1 and table.width == entries(tensor)
    rows = table.pick(numbers)
    if coded and any(column.categories for column in columns.columns):
        whose = [f"{table.origin}: row {number}" for number in numbers]
        return [decode(columns, row, where) for row, where in zip(rows, whose, strict=True)], ()
    places, notes = match(columns, table)
    return [[row[at] for at in places] for row in rows], notes


class StandIn(NamedTuple):
    """What columns take when they are off: arrays by input name (draws, ...), how it is said, and notes."""

    arrays: dict[str, Array]
    said: str
    notes: tuple[str, ...] = ()


def stand_in_for(model: Model, columns: Columns, reading: "Reading") -> StandIn:
    """Find it: the background, else the baseline that was given, else what the model declares, else 0 with a note.

    Raises:
        InputError: the background is no table with these columns.
        UsageError: a category for which nothing is known, or a baseline that does not fit.
    """
    if reading.background is not None:
        return _background(model, columns, reading)
    cells = [column.off if reading.baseline is None else None for column in columns.columns]
    numbers = _baseline(columns, reading.baseline)
    bare = [column.name for column, cell in zip(columns.columns, cells, strict=True) if cell is None]
    for at, column in enumerate(columns.columns):
        if cells[at] is None and column.kind == "category":
            if column.off is None:
                raise UsageError(
                    f"nothing can stand in for {column.name!r}, a category: give rows of data with --background FILE, "
                    "or declare it as off under [table]"
                )
            cells[at] = column.off
        elif cells[at] is None:
            cells[at] = numbers[at]
    arrays = encode(model, columns, [cells], [0], "what stands in")
    if not bare:
        return StandIn(arrays, "its declared value")
    if reading.baseline is not None:
        return StandIn(arrays, "the baseline")
    what = "columns that are off" if len(bare) == len(cells) else ", ".join(map(repr, bare[:5]))
    note = f"0 stands in for {what}; give rows of data with --background FILE, or a value with --baseline"
    return StandIn(arrays, "0", (note,))


def _baseline(columns: Columns, baseline: npt.ArrayLike | None) -> list[float]:
    try:
        numbers = np.broadcast_to(np.asarray(0.0 if baseline is None else baseline, np.float64), len(columns.names))
    except ValueError:
        raise UsageError(
            f"baseline: shape {list(np.shape(baseline or 0))} does not fit {len(columns.names)} columns"
        ) from None
    return [float(number) for number in numbers]


def _background(model: Model, columns: Columns, reading: "Reading") -> StandIn:
    table = as_table(reading.background, "the background")
    count = min(table.count, MOST_BACKGROUND)
    chosen = np.sort(np.random.default_rng(reading.seed).permutation(table.count)[:count])
    numbers = [int(number) for number in chosen]
    cells, _ = read_rows(model, columns, table, numbers)
    cut = f"{table.origin}: {count} of {table.count} rows are drawn as background, by the seed"
    said = f"the {count} rows of {table.origin}" if count > 1 else f"the row of {table.origin}"
    arrays = encode(model, columns, cells, numbers, table.origin)
    return StandIn(arrays, said, (cut,) if count < table.count else ())

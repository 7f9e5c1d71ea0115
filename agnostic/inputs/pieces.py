"""Cut a row into features: its columns, declared groups of columns, bins of their values, or the user's own groups."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError, unknown
from agnostic.inputs.columns import Columns

DEFAULT_BINS = 4


class Pieces(NamedTuple):
    """How the columns of a row are put together.

    Attributes:
        of: (columns,) the feature of each column.
        names: one per feature.
        identities: what each is called in every row.
        bins: how many bins the values of a column fall into; 0 where a column that is off may take any value.
    """

    of: npt.NDArray[np.intp]
    names: tuple[str, ...]
    identities: tuple[str, ...]
    bins: int = 0


def pieces(features: str | npt.NDArray[np.int32] | None, columns: Columns) -> Pieces:
    """Put columns together as a user wants it.

    Args:
        features: `columns`, `groups` (as the model declares them; what is in none is one of its own), `bins[:N]`, or
            (columns,) integers that count up from 0.
        columns: the model's columns.

    Raises:
        UsageError: an unknown kind, or groups where none are declared.
    """
    if features is None or (isinstance(features, str) and features == "columns"):
        return Pieces(np.arange(len(columns.names)), columns.names, columns.names)
    if not isinstance(features, str):
        return _own(np.asarray(features), columns.names)
    kind, _, size = features.partition(":")
    if features == "groups":
        return _groups(columns)
    if kind == "bins":
        if size and (not size.isdigit() or not 2 <= int(size) <= 100):
            raise UsageError(f"features {features!r}: expected bins:N with N from 2 to 100")
        bins = int(size) if size else DEFAULT_BINS
        return Pieces(np.arange(len(columns.names)), columns.names, columns.names, bins)
    raise unknown("features", features, ["columns", "groups", "bins:4"], "of a table: columns, groups or bins[:N]")


def _groups(columns: Columns) -> Pieces:
    if not columns.groups:
        raise UsageError("features 'groups': the model declares none; name them under [table.groups], or take columns")
    home = {name: group for group, members in columns.groups.items() for name in members}
    named = [home.get(name, name) for name in columns.names]
    names = tuple(dict.fromkeys(named))
    return Pieces(np.array([names.index(name) for name in named]), names, names)


def _own(groups: npt.NDArray[np.generic], names: Sequence[str]) -> Pieces:
    if groups.shape != (len(names),) or groups.dtype.kind not in "iu":
        raise UsageError(
            f"features: expected one whole number for each of {len(names)} columns, "
            f"got {groups.dtype} {list(groups.shape)}"
        )
    numbers = groups.astype(np.intp)
    if not np.array_equal(np.unique(numbers), np.arange(numbers.max() + 1)):
        raise UsageError("features: the groups must count up from 0 without gaps")
    joined = tuple(
        " + ".join(name for name, group in zip(names, numbers, strict=True) if group == number)
        for number in range(int(numbers.max()) + 1)
    )
    return Pieces(numbers, joined, joined)


def edges_of(values: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    """The borders between bins that hold as many values each as can be: (up to bins - 1,), rising.

    >>> edges_of(np.arange(8.0), 4).tolist()
    [1.75, 3.5, 5.25]
    """
    inner = np.nanquantile(values, np.arange(1, bins) / bins)
    return np.unique(inner)


def interval(name: str, value: float, edges: npt.NDArray[np.float64]) -> str:
    """Say which bin a value lies in.

    >>> interval("age", 3.0, np.array([2.0, 5.0])), interval("age", 9.0, np.array([2.0, 5.0]))
    ('2 < age <= 5', 'age > 5')
    """
    at = int(np.searchsorted(edges, value))
    if not edges.size or np.isnan(value):
        return name
    if at == 0:
        return f"{name} <= {edges[0]:.4g}"
    if at == edges.size:
        return f"{name} > {edges[-1]:.4g}"
    return f"{edges[at - 1]:.4g} < {name} <= {edges[at]:.4g}"


def outside(row: float, values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Choose for each of many rows whose value to take, so that it lies in another bin than `row` does.

    Its own where that does, else that of the next row whose does; its own where none does.

    Args:
        row: the value that is explained.
        values: (rows,).
        edges: the borders between bins.

    >>> outside(1.0, np.array([1.0, 2.0, 9.0, 1.5]), np.array([5.0])).tolist()
    [2, 2, 2, 2]
    """
    numbers = np.arange(len(values))
    other = np.flatnonzero(np.searchsorted(edges, values) != np.searchsorted(edges, row))
    if not other.size:
        return numbers
    next_at = np.searchsorted(other, numbers) % other.size
    return np.asarray(other[next_at], np.intp)

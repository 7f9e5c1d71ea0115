"""What the columns of a table are: their names, their types, and which entries of which input each one fills.

A model says it in the section `table` of its sidecar or metadata; where it says nothing, the names come from the inputs
(one input for each column) or from the table's own header (one input for all).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from agnostic.engine.model import Model
from agnostic.engine.signature import Tensor
from agnostic.errors import InputError, UsageError

Kind = Literal["number", "category"]
_KEYS = ("columns", "groups", "missing")
_COLUMN_KEYS = ("name", "type", "categories", "input", "index", "off")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: as in the table.
        kind: number or category.
        input: the input that it goes into.
        places: the entries of that input, counted behind the batch axis, that it fills: one, or one for each category
            (one-hot).
        categories: what it may hold; None where it holds numbers, or any word.
        off: what stands in for it; None where nothing is declared.
    """

    name: str
    kind: Kind
    input: str
    places: tuple[int, ...]
    categories: tuple[str, ...] | None = None
    off: float | str | None = None


@dataclass(frozen=True)
class Columns:
    """The columns that a model eats.

    Attributes:
        columns: in the order of the model.
        groups: names of groups of columns that belong together, and the columns of each.
        missing: whether cells may be empty, as trees allow.
        declared: whether the model says all this itself.
    """

    columns: tuple[Column, ...]
    groups: Mapping[str, tuple[str, ...]]
    missing: bool
    declared: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(column.name for column in self.columns)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The inputs they go into, in the order of the model."""
        return tuple(dict.fromkeys(column.input for column in self.columns))


def columns_of(model: Model, header: Sequence[str] | None, width: int) -> Columns:
    """Find what a model's columns are: as declared, by its inputs, or by a table's header.

    Args:
        model: the model.
        header: the names that the table has, if any.
        width: how many columns the table has.

    Raises:
        UsageError: what is declared makes no sense, or nothing is declared and nothing can be concluded.
        InputError: the model eats no rows, or rows of another length.
    """
    if "table" in model.declared:
        return _declared(model, model.declared["table"])
    if len(model.inputs) > 1:
        return Columns(tuple(_alone(tensor) for tensor in model.inputs), {}, missing=False, declared=False)
    (tensor,) = model.inputs
    if len(tensor.shape) != 2:
        raise InputError(f"input {tensor} holds no rows of columns; expected an input [n, columns] for a table")
    size = entries(tensor)
    if size is not None and size != width:
        raise InputError(
            f"input {tensor} has {size} columns, the table {width}; leave out those it does not eat, or name those it "
            "does in MODEL.agnostic.toml under [table] as columns"
        )
    names = tuple(header) if header is not None else tuple(f"column {at}" for at in range(width))
    kind: Kind = "category" if tensor.is_text else "number"
    found = tuple(Column(name, kind, tensor.name, (at,)) for at, name in enumerate(names))
    return Columns(found, {}, missing=False, declared=False)


def entries(tensor: Tensor) -> int | None:
    """How many entries an input has behind the batch axis; None where that is free."""
    sizes = tensor.shape[1:]
    return prod(size for size in sizes if isinstance(size, int)) if all(isinstance(s, int) for s in sizes) else None


def _alone(tensor: Tensor) -> Column:
    """Take an input for one column."""
    if entries(tensor) != 1:
        raise UsageError(
            f"input {tensor} holds several columns beside other inputs; say which in MODEL.agnostic.toml under [table] "
            "as columns"
        )
    return Column(tensor.name, "category" if tensor.is_text else "number", tensor.name, (0,))


def _declared(model: Model, section: Mapping[str, Any]) -> Columns:
    _check_keys(section, _KEYS, "[table]")
    listed = section.get("columns")
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise UsageError("[table] columns: expected a list of names, or of tables with a name each")
    tensors = {tensor.name: tensor for tensor in model.inputs}
    filled: Counter[str] = Counter()
    found = []
    for item in listed:
        found.append(_column(item if isinstance(item, Mapping) else {"name": item}, tensors, filled))
        filled[found[-1].input] += len(found[-1].places)
    missing = section.get("missing", False)
    if not isinstance(missing, bool):
        raise UsageError(f"[table] missing: expected true or false, got {missing!r}")
    _check_cover(found, tensors)
    return Columns(tuple(found), _groups(section.get("groups", {}), found), missing, declared=True)


def _column(item: Mapping[str, Any], tensors: Mapping[str, Tensor], filled: Mapping[str, int]) -> Column:
    """Read one declaration; what it leaves out follows from the inputs and from the columns before it."""
    name = item.get("name")
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"[table] columns: expected a name for each, got {name!r}")
    where = f"[table] column {name!r}"
    _check_keys(item, _COLUMN_KEYS, where)
    source = item.get("input", name if name in tensors else next(iter(tensors)) if len(tensors) == 1 else None)
    if source not in tensors:
        raise UsageError(f"{where}: expected an input of the model as its input: {', '.join(tensors)}")
    categories = _categories(item.get("categories"), where)
    kind = item.get("type", "category" if categories or tensors[source].is_text else "number")
    if kind not in ("number", "category") or (kind == "number" and (categories or tensors[source].is_text)):
        raise UsageError(f"{where}: type {kind!r} does not go with it; expected number, or category with categories")
    if kind == "category" and categories is None and not tensors[source].is_text:
        raise UsageError(
            f"{where}: a category in an input of numbers needs its categories, in the order of their codes"
        )
    places = _places(item.get("index", filled[source]), where)
    if len(places) > 1 and len(places) != len(categories or ()):
        raise UsageError(
            f"{where}: {len(places)} entries for {len(categories or ())} categories; expected one for each"
        )
    return Column(name, kind, source, places, categories, _off(item.get("off"), kind, categories, where))


def _categories(given: Any, where: str) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not isinstance(given, Sequence) or isinstance(given, str) or not given or len(set(map(str, given))) < len(given):
        raise UsageError(f"{where}: categories: expected a list of different words")
    return tuple(map(str, given))


def _places(given: Any, where: str) -> tuple[int, ...]:
    """Read an index: one entry, or a list of them.

    >>> _places(3, ""), _places([3, 4], "")
    ((3,), (3, 4))
    """
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not listed or not all(isinstance(at, int) and not isinstance(at, bool) and at >= 0 for at in listed):
        raise UsageError(f"{where}: index {given!r}: expected a whole number from 0, or a list of them")
    return tuple(listed)


def _off(given: Any, kind: Kind, categories: tuple[str, ...] | None, where: str) -> float | str | None:
    if given is None:
        return None
    if kind == "number":
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise UsageError(f"{where}: off {given!r}: expected a number")
        return float(given)
    if categories is not None and str(given) not in categories:
        raise UsageError(f"{where}: off {given!r}: expected one of its categories")
    return str(given)


def _check_cover(found: Sequence[Column], tensors: Mapping[str, Tensor]) -> None:
    """Refuse columns that leave an entry of their inputs empty, fill one twice, or lie outside."""
    names = [column.name for column in found]
    if len(set(names)) < len(names):
        raise UsageError(f"[table] columns: {Counter(names).most_common(1)[0][0]!r} is there twice")
    for name in dict.fromkeys(column.input for column in found):
        places = sorted(at for column in found if column.input == name for at in column.places)
        size = entries(tensors[name])
        if places != list(range(len(places) if size is None else size)):
            raise UsageError(
                f"[table] columns fill {len(set(places))} entries of the input {tensors[name]}; expected each one once"
            )


def _groups(given: Any, found: Sequence[Column]) -> dict[str, tuple[str, ...]]:
    known = {column.name for column in found}
    groups: dict[str, tuple[str, ...]] = {}
    for name, members in given.items() if isinstance(given, Mapping) else [("", None)]:
        listed = isinstance(members, Sequence) and not isinstance(members, str)
        if not listed or not members or not known.issuperset(map(str, members)):
            raise UsageError(f"[table] groups: {name!r}: expected a list of names of columns")
        groups[str(name)] = tuple(map(str, members))
    twice = [name for name, times in Counter(name for group in groups.values() for name in group).items() if times > 1]
    if twice:
        raise UsageError(f"[table] groups: {twice[0]!r} is in two of them; expected each column in one at most")
    return groups


def _check_keys(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    stray = sorted(set(given) - set(known))
    if stray:
        raise UsageError(f"{where}: unknown key {stray[0]!r}; known: {', '.join(known)}")

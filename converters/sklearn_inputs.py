"""What a fitted scikit-learn estimator takes: one matrix of numbers, text, or columns of different kinds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agnostic.converters import metadata
from agnostic.converters.conversion import Array, Feeds, Request
from agnostic.errors import ConversionError, UsageError


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: what it is called.
        is_text: whether it holds words.
        categories: the words it may hold, where these are known.
        levels: the numbers it may hold, where it takes no others.
    """

    name: str
    is_text: bool = False
    categories: tuple[Any, ...] | None = None
    levels: tuple[float, ...] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """All that it may hold, where that is known; nothing otherwise."""
        return self.categories or self.levels or ()


@dataclass(frozen=True)
class Inputs:
    """The inputs of an estimator.

    Attributes:
        columns: what it takes, in its own order.
        apart: one input per column; otherwise all are side by side in one input.
        named: the estimator looks columns up by name, so it is asked with a data frame.
        text: it takes one text per row.
    """

    columns: tuple[Column, ...]
    apart: bool = False
    named: bool = False
    text: bool = False

    @property
    def name(self) -> str:
        """The one input where columns are not apart."""
        return "text" if self.text else "X"

    def types(self) -> list[tuple[str, Any]]:
        """Declare the inputs as skl2onnx takes them."""
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        def kind(is_text: bool, width: int) -> Any:
            return (StringTensorType if is_text else FloatTensorType)([None, width])

        if self.apart:
            return [(column.name, kind(column.is_text, 1)) for column in self.columns]
        return [(self.name, kind(self.text or any(c.is_text for c in self.columns), max(1, len(self.columns))))]

    def rows(self, feeds: Feeds) -> Any:
        """Turn arrays by input name into what the estimator's own methods take."""
        if self.text:
            return feeds[self.name].reshape(-1).tolist()
        if not self.apart:
            array = feeds[self.name]
            return array if array.dtype.kind in "OU" else array.astype(np.float64)
        arrays = {c.name: feeds[c.name].reshape(-1) for c in self.columns}
        numbers = {name: a if a.dtype.kind in "OU" else a.astype(np.float64) for name, a in arrays.items()}
        return _frame(numbers) if self.named else np.array(list(numbers.values()), object).T

    def likeness(self, request: Request) -> dict[str, Array]:
        """Give the example the names of the inputs.

        Raises:
            UsageError: it has other columns, or another number of them.
        """
        given = dict(request.example)
        if not given:
            return self._words()
        if self.apart:
            return self._columns_of(given)
        if list(given) != ["0"]:
            given = {"0": np.concatenate([array.reshape(len(array), -1) for array in given.values()], axis=1)}
        array = given["0"].reshape(-1, 1) if self.text else given["0"]
        if array.ndim != 2 or array.shape[1] != max(1, len(self.columns)):
            raise UsageError(
                f"the example has shape {list(array.shape)}; the estimator takes rows of {max(1, len(self.columns))}"
            )
        return {self.name: array.astype(object) if any(c.levels for c in self.columns) else array}

    def _words(self) -> dict[str, Array]:
        """Make rows of what the columns may hold, where this is known.

        They are of dtype object, which says that nothing between two of them can be asked about.
        """
        rows = max((len(column.values) for column in self.columns), default=0)
        known = {c.name: np.resize(np.array(c.values, object), (rows, 1)) for c in self.columns if c.values}
        if self.apart or not any(column.levels for column in self.columns):
            return known if self.apart else {}
        drawn = np.random.default_rng(0).standard_normal((rows, len(self.columns))).astype(object)
        sides = [known.get(c.name, drawn[:, place : place + 1]) for place, c in enumerate(self.columns)]
        return {self.name: np.concatenate(sides, axis=1)}

    def _columns_of(self, given: dict[str, Array]) -> dict[str, Array]:
        wanted = [column.name for column in self.columns]
        if list(given) == ["0"] and given["0"].ndim == 2 and given["0"].shape[1] == len(wanted):
            given = {name: given["0"][:, place : place + 1] for place, name in enumerate(wanted)}
        if missing := [name for name in wanted if name not in given]:
            raise UsageError(f"the example lacks the column {missing[0]!r}; it has {', '.join(given)}")
        arrays = {column: given[column.name].reshape(-1, 1) for column in self.columns}
        return {column.name: array.astype(object) if column.levels else array for column, array in arrays.items()}

    def table(self) -> dict[str, Any] | None:
        """Describe the columns for the metadata; None where they have no names."""
        if self.text or not self.columns or all(c.name == f"x{i}" for i, c in enumerate(self.columns)):
            return None
        return {
            "columns": [
                metadata.column(
                    c.name, c.name if self.apart else self.name, None if self.apart else place, c.categories,
                    text=c.is_text,
                )
                for place, c in enumerate(self.columns)
            ]
        }  # fmt: skip


def inputs_of(estimator: Any) -> Inputs:
    """Tell what an estimator takes from what it learned.

    Raises:
        ConversionError: it is not fitted, or does not tell how many columns it was fitted on.
    """
    first = first_step(estimator)
    if hasattr(first, "vocabulary_") or type(first).__name__ == "HashingVectorizer":
        return Inputs((), text=True)
    names = [str(name) for name in getattr(first, "feature_names_in_", ())]
    count = getattr(first, "n_features_in_", len(names)) or len(names)
    if not count:
        raise ConversionError(f"the estimator {type(estimator).__name__} is not fitted; fit it first")
    columns = [Column(name) for name in names or [f"x{place}" for place in range(count)]]
    if type(first).__name__ == "ColumnTransformer":
        return _of_transformer(first, columns, named=bool(names))
    categories = getattr(first, "categories_", None)
    if categories is not None and any(np.asarray(found).dtype.kind in "OU" for found in categories):
        columns = [Column(c.name, True, tuple(found)) for c, found in zip(columns, categories, strict=True)]
    return Inputs(tuple(columns))


def first_step(estimator: Any) -> Any:
    """Follow pipelines and searches to what sees the data first."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif getattr(estimator, "steps", None):
            estimator = next((step for _, step in estimator.steps if not isinstance(step, str)), None)
        else:
            return estimator


def walk(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and everything inside it."""
    yield estimator
    parts: list[Any] = [getattr(estimator, "best_estimator_", None)]
    parts += [step for _, step in getattr(estimator, "steps", None) or ()]
    parts += [step for _, step, *_ in getattr(estimator, "transformers_", None) or ()]
    parts += [step for _, step in getattr(estimator, "transformer_list", None) or ()]
    for part in parts:
        if part is not None and not isinstance(part, str):
            yield from walk(part)


def _of_transformer(transformer: Any, columns: list[Column], named: bool) -> Inputs:
    """Read the kinds of columns from the parts of a ColumnTransformer; columns that it drops are no inputs."""
    found: dict[int, Column] = {}
    for _, part, chosen in transformer.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        for place, index in enumerate(_places(chosen, columns)):
            seen = _as_seen(part, place, columns[index])
            found[index] = seen if index not in found or seen.is_text else found[index]
    if not named:
        # Places count all columns, so that none may be left out.
        found = {index: found.get(index, column) for index, column in enumerate(columns)}
        if not any(column.is_text for column in found.values()):
            return Inputs(tuple(found.values()))
    return Inputs(tuple(found[index] for index in sorted(found)), apart=True, named=named)


def _places(chosen: Any, columns: Sequence[Column]) -> list[int]:
    names = [column.name for column in columns]
    if isinstance(chosen, slice):
        return list(range(len(columns)))[chosen]
    items = [chosen] if isinstance(chosen, str | int) else list(chosen)
    if items and all(isinstance(item, bool | np.bool_) for item in items):
        return [place for place, is_chosen in enumerate(items) if is_chosen]
    return [names.index(item) if isinstance(item, str) else int(item) % len(columns) for item in items]


def _as_seen(part: Any, place: int, column: Column) -> Column:
    """Describe a column by what the part that takes it has learned of it."""
    for step in walk(part):
        if hasattr(step, "vocabulary_"):
            return Column(column.name, True)
        categories = getattr(step, "categories_", None)
        if categories is not None and place < len(categories):
            words = np.asarray(categories[place])
            # A missing value among the words is NaN, which is no word.
            kept = tuple(word for word in words.tolist() if word is not None and word == word)
            is_text = any(isinstance(word, str) for word in kept)
            return Column(column.name, True, kept) if is_text else Column(column.name, levels=kept)
    return column


def _frame(columns: dict[str, Array]) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise UsageError("an estimator that looks columns up by name needs pandas: pip install pandas") from error
    return pandas.DataFrame({name: pandas.Series(array, dtype=array.dtype) for name, array in columns.items()})

"""What goes into a conversion and what comes out: the contract that every `from_*` module keeps.

::

    convert(source, request) -> Converted

`source` is an object of the framework or the path of its file; `request` holds what the caller said beside it. The
answer carries the graph, a way to ask the source itself, and what the source knows about labels and preprocessing.

This module, `metadata`, `trials`, `tidy`, `sources` and the `from_*` modules need NumPy and onnx only: they also
run in the private environments of `isolation`, where nothing else of this package's is installed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from agnostic.errors import ConversionError, UsageError

Array: TypeAlias = NDArray[Any]
Feeds: TypeAlias = Mapping[str, Array]
Answer: TypeAlias = Callable[[Feeds], Mapping[str, Array]]

# The most rows of an example that are looked at: an example may be a whole data set.
MOST_ROWS = 256


@dataclass(frozen=True)
class Facts:
    """What a source knows about itself, written into the metadata of the model.

    Attributes:
        labels: class names in the order of the scores.
        preprocess: how pictures become inputs, as `engine.preprocess` reads it.
        table: the columns of a table; see `metadata.column`.
        text: how text becomes inputs.
    """

    labels: Sequence[str] | None = None
    preprocess: Mapping[str, Any] | None = None
    table: Mapping[str, Any] | None = None
    text: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Request:
    """What the caller said beside the source.

    Attributes:
        example: arrays by input name, in the order of the inputs; each has a batch axis. Names that are numbers
            ("0", "1", …) stand for places.
        shapes: sizes of the inputs behind the batch axis, where there is no example.
        opset: the version of the standard operators to write; the exporter's own choice by default.
    """

    example: Feeds = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ()
    opset: int | None = None

    def arrays(self) -> list[Array]:
        """Return the example without its names."""
        return list(self.example.values())


@dataclass(frozen=True)
class Converted:
    """A model as it comes out of a framework's exporter.

    Attributes:
        proto: the graph, with readable names.
        answer: asks the source: arrays by input name to arrays by output name.
        facts: what the source says about itself.
        likeness: rows that random inputs are drawn like, by input name.
        notes: what a user should know, one line each.
    """

    proto: ModelProto
    answer: Answer
    facts: Facts = field(default_factory=Facts)
    likeness: Feeds = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def as_example(given: Any) -> dict[str, Array]:
    """Normalise an example: an array or tensor, several of them, a mapping by name, or a data frame (by column).

    >>> {name: array.shape for name, array in as_example([np.ones((2, 3)), np.ones(2)]).items()}
    {'0': (2, 3), '1': (2,)}
    """
    if given is None:
        return {}
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        return {str(name): _array(given[name])[:MOST_ROWS].reshape(-1, 1) for name in given.columns}
    if isinstance(given, Mapping):
        return {str(name): _array(value)[:MOST_ROWS] for name, value in given.items()}
    if isinstance(given, list | tuple) and given and not isinstance(given[0], str | int | float | list | tuple):
        return {str(place): _array(value)[:MOST_ROWS] for place, value in enumerate(given)}
    return {"0": _array(given)[:MOST_ROWS]}


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array: Array = np.asarray(value)
    if array.dtype.kind == "U":
        array = array.astype(object)
    if array.ndim == 0:
        raise UsageError("an example is an array with a batch axis, (n, ...); a single number was given")
    if array.dtype.kind not in "fiubO":
        raise UsageError(f"an example holds numbers or text; an array of {array.dtype} was given")
    return array


def matched(request: Request, names: Sequence[str]) -> dict[str, Array]:
    """Give the arrays of the example their input names: by name where these agree, else by place.

    Raises:
        UsageError: the example has other names, or more arrays than there are inputs.
    """
    given = dict(request.example)
    if set(given) <= set(names):
        return given
    if all(name.isdigit() for name in given) and len(given) <= len(names):
        return dict(zip(names, given.values(), strict=False))
    raise UsageError(f"the example has the arrays {', '.join(given)}; the model takes {', '.join(names)}")


def needs_example(what: str) -> ConversionError:
    """Say that a source does not tell the sizes of its inputs."""
    return ConversionError(
        f"{what} does not say how large its input is: give an example, --example FILE.npy (or agnostic.convert(model, "
        "example)), or its sizes behind the batch axis, --input-shape 3,224,224"
    )


def by_rows(answer: Answer) -> Answer:
    """Ask a source that takes one row at a time for several, one after the other."""

    def whole(feeds: Feeds) -> dict[str, Array]:
        rows = len(next(iter(feeds.values())))
        if rows == 1:
            return dict(answer(feeds))
        parts = [answer({name: array[row : row + 1] for name, array in feeds.items()}) for row in range(rows)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return whole

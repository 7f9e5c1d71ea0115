"""Sequences are Python lists; an empty optional is None."""

from typing import Any

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator


@operator("SequenceConstruct")
def construct(*items: Any) -> list[Any]:
    """Make a sequence of the inputs."""
    return list(items)


@operator("SequenceEmpty")
def empty(*, dtype: int = 1) -> list[Any]:
    """Make a sequence of nothing."""
    return []


@operator("SequenceAt")
def at(sequence: list[Any], position: Tensor) -> Any:
    """Take one item; negative positions count from the end."""
    return sequence[int(position)]


@operator("SequenceInsert")
def insert(sequence: list[Any], item: Any, position: Tensor | None = None) -> list[Any]:
    """Return the sequence with an item before a position, by default at the end."""
    place = len(sequence) if position is None else int(position)
    return [*sequence[:place], item, *sequence[place:]]


@operator("SequenceErase")
def erase(sequence: list[Any], position: Tensor | None = None) -> list[Any]:
    """Return the sequence without one item, by default the last."""
    place = (-1 if position is None else int(position)) % len(sequence)
    return sequence[:place] + sequence[place + 1 :]


@operator("SequenceLength")
def length(sequence: list[Any]) -> Tensor:
    """Count the items."""
    return torch.tensor(len(sequence))


@operator("ConcatFromSequence")
def concat(sequence: list[Tensor], *, axis: int, new_axis: int = 0) -> Tensor:
    """Join the items along an axis, or stack them along a new one."""
    return torch.stack(sequence, axis) if new_axis else torch.cat(sequence, axis)


@operator("SplitToSequence")
def split(x: Tensor, lengths: Tensor | None = None, *, axis: int = 0, keepdims: int = 1) -> list[Tensor]:
    """Cut along an axis into slices of length one, of one length, or of the lengths given."""
    if lengths is None:
        return list(torch.split(x, 1, axis)) if keepdims else list(x.unbind(axis))
    return list(torch.split(x, int(lengths) if lengths.ndim == 0 else lengths.tolist(), axis))


@operator("Optional")
def optional(value: Any = None, *, type: Any = None) -> Any:
    """Wrap a value, or nothing."""
    return value


@operator("OptionalHasElement")
def has_element(value: Any = None) -> Tensor:
    """Say whether there is a value."""
    return torch.tensor(value is not None)


@operator("OptionalGetElement")
def get_element(value: Any) -> Any:
    """Take the value, which must be there."""
    if value is None:
        raise ValueError("the optional is empty")
    return value

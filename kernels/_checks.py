"""Say what is wrong with an array before a compiled loop reads outside of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def has_shape(name: str, array: Array, shape: Sequence[int | None]) -> None:
    """Refuse an array whose shape differs from `shape`; None stands for any length.

    >>> has_shape("masks", np.zeros((2, 3)), (None, 4))
    Traceback (most recent call last):
    ValueError: masks has shape (2, 3), expected (any, 4)
    """
    fits = array.ndim == len(shape) and all(want in (None, have) for have, want in zip(array.shape, shape, strict=True))
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} has shape {array.shape}, expected ({wanted})")


def has_dtype(name: str, array: Array, dtype: type[np.generic]) -> None:
    """Refuse an array of another type.

    >>> has_dtype("masks", np.zeros(2), np.float32)
    Traceback (most recent call last):
    ValueError: masks is float64, expected float32
    """
    if array.dtype != dtype:
        raise ValueError(f"{name} is {array.dtype}, expected {np.dtype(dtype)}")


def is_numbering(name: str, labels: Array, count: int) -> None:
    """Refuse labels that are not integers in 0 .. `count` - 1."""
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name} is {labels.dtype}, expected integers")
    if labels.size and (labels.min() < 0 or labels.max() >= count):
        raise ValueError(f"{name} run from {labels.min()} to {labels.max()}, expected 0 to {count - 1}")


@contextmanager
def contiguous(out: Array) -> Iterator[Array]:
    """Give a loop a C-contiguous array to write, and bring the result home when `out` is not one itself."""
    buffer = np.ascontiguousarray(out)
    yield buffer
    if buffer is not out:
        out[...] = buffer

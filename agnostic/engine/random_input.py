"""One random input that a model can eat, made after the likeness of a given one."""

from collections.abc import Mapping

import numpy as np

from agnostic.converters.tables import table_sizes
from agnostic.engine.model import Model
from agnostic.engine.runtime import as_dtype
from agnostic.engine.target import Array


def random_feeds(model: Model, feeds: Mapping[str, Array], seed: int = 0) -> dict[str, Array] | None:
    """Draw an input of the same shapes; None where there is nothing to draw.

    A picture is drawn from all colours and goes through the declared preprocessing. Other floating values lie in the
    range of the given ones, or, where these are all the same, are normal around them. Integers that look rows up in a
    table are drawn from its rows. All else, such as masks and sizes, stays what it is.

    Args:
        model: the model.
        feeds: one row per input.
        seed: the same seed gives the same input.
    """
    random, tables = np.random.default_rng(seed), table_sizes(model.proto.graph)
    drawn: dict[str, Array] = {}
    for name in _free(model, feeds):
        given = feeds[name]
        values = _picture(model, given, random)
        if values is None:
            values = _like(given, random) if given.dtype.kind == "f" else _rows(given, tables.get(name), random)
        if values is not None:
            drawn[name] = as_dtype(values, given.dtype)
    return {**feeds, **drawn} if drawn else None


def _free(model: Model, feeds: Mapping[str, Array]) -> list[str]:
    """The inputs whose values may be drawn: numbers by row; what is all the same only where nothing else varies."""
    rows = [name for name in feeds if name in model.batched_inputs and feeds[name].ndim > 1 and feeds[name].size]
    floating = [name for name in rows if feeds[name].dtype.kind == "f"]
    varied = [name for name in floating if np.ptp(feeds[name].astype(np.float64)) > 0] or floating
    return [name for name in rows if name in varied or feeds[name].dtype.kind in "iu"]


def _picture(model: Model, given: Array, random: np.random.Generator) -> Array | None:
    """Draw a picture if that is what the input is."""
    declared = model.preprocess
    if declared is None or given.ndim < 3:
        return None
    row = declared.row(random.integers(0, 256, (*declared.size, declared.depth)).astype(np.uint8))
    return row[None] if row.shape == given.shape[1:] else None


def _like(given: Array, random: np.random.Generator) -> Array:
    low, high = float(given.min()), float(given.max())
    if low == high:
        return random.normal(low, 1, given.shape)
    return random.uniform(low, high, given.shape)


def _rows(given: Array, count: int | None, random: np.random.Generator) -> Array | None:
    return None if count is None else random.integers(0, count, given.shape)

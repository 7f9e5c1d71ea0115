"""A series as a sample: channels over time, cut into segments that can be switched off."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.array import beside, complete, read_array
from agnostic.inputs.features import Array32, NumericFeatures
from agnostic.inputs.sample import Sample
from agnostic.inputs.segments import Segments, fill_for, segments
from agnostic.inputs.series_axes import Axes, axes_of
from agnostic.inputs.tabular import CSV, Table, as_table, is_frame

if TYPE_CHECKING:
    from agnostic.inputs.reading import Reading


def recognises(model: Model, name: str, given: Any, reading: "Reading") -> bool:
    """Whether what is given is a series: a table of numbers for an input of three axes, or where one is declared."""
    declared = "series" in model.declared
    if not declared and ("table" in model.declared or model.preprocess is not None):
        return False
    if not declared and not any(len(tensor.shape) == 3 for tensor in model.inputs):
        return False
    if name not in ("", *(tensor.name for tensor in model.inputs)):
        return False
    if isinstance(given, str | os.PathLike):
        suffix = Path(given).suffix.lower()
        return suffix in CSV or (declared and suffix == ".npy")
    return is_frame(given) or (declared and isinstance(given, np.ndarray | list | tuple))


def series_sample(model: Model, by_name: Mapping[str, Any], reading: "Reading") -> Sample:
    """Make a sample of a series.

    Args:
        model: the model.
        by_name: the series under "" or under the name of its input: a .csv file (columns are channels, lines are
            steps), a .npy file, a data frame, or an array; arrays of other inputs by name.
        reading: how it is to be read: features, fill, seed.

    Raises:
        InputError: it cannot be read, has gaps, or does not fit the model.
        UsageError: a setting that a series does not have.
    """
    for option, value in (("--row", reading.row), ("--background", reading.background)):
        if value is not None:
            raise UsageError(f"{option} goes with a table, not with a series; drop it")
    axes = axes_of(model, reading.source or next((name for name in by_name if name), None))
    given = by_name.get("", by_name.get(axes.tensor.name))
    x, names, origin, said = _read(given, axes)
    _check(x, axes, origin)
    channels = axes.channels or names or tuple(f"channel {at}" for at in range(len(x)))
    cut = segments(reading.features, x, channels)
    others = {name: beside(name, value) for name, value in by_name.items() if name not in ("", axes.tensor.name)}
    stored = np.empty((1, *axes.stored(x)), np.float32)
    axes.view(stored)[0] = x
    arrays, notes = complete(model, {**others, axes.tensor.name: stored})
    return Sample(
        model.feeds(arrays),
        axes.tensor.name,
        _features(axes, x, cut, reading),
        origin,
        refill=partial(_refill, x, cut),
        notes=(*((axes.note,) if axes.note else ()), *said, *notes),
        shown={
            "kind": "series",
            "channels": list(channels),
            "units": list(axes.units),
            "time": axes.time,
            "starts": cut.starts.tolist(),
            "per_channel": cut.per_channel,
        },
    )


class _Series(NamedTuple):
    """A series as it was given: (C, T) float32, its channels' names if it has some, what to call it, and notes."""

    x: Array32
    names: tuple[str, ...] | None
    origin: str
    notes: tuple[str, ...] = ()


def _read(given: Any, axes: Axes) -> _Series:
    """Read a series.

    Raises:
        InputError: it is no series of numbers.
    """
    if is_frame(given) or (isinstance(given, str | os.PathLike) and Path(given).suffix.lower() in CSV):
        return _from_table(as_table(given, "the series"), axes)
    origin = Path(given).name if isinstance(given, str | os.PathLike) else "the series"
    try:
        values = read_array(Path(given)) if isinstance(given, str | os.PathLike) else np.asarray(given)
    except ValueError:
        raise InputError(f"{origin}: channels of different lengths; expected as many steps in each") from None
    if values.dtype.kind not in "biuf":
        raise InputError(f"{origin}: expected numbers, got an array of {values.dtype}")
    return _Series(_placed(values.astype(np.float32), axes, origin), None, origin)


def _from_table(table: Table, axes: Axes) -> _Series:
    """Read columns as channels and rows as steps: those that the model names, or all."""
    names = table.names or tuple(f"channel {at}" for at in range(table.width))
    chosen, notes = range(table.width), []
    if axes.channels and set(axes.channels) <= set(names):
        chosen = [names.index(channel) for channel in axes.channels]  # type: ignore[assignment]
        ignored = [name for at, name in enumerate(names) if at not in chosen]
        notes += [f"{table.origin}: the model does not eat {', '.join(map(repr, ignored))}"] if ignored else []
    elif axes.channels and table.names:
        notes.append(f"{table.origin}: columns taken for {', '.join(map(repr, axes.channels))} by their order")
    x = np.empty((len(chosen), table.count), np.float32)
    for step, row in enumerate(table.pick(range(table.count))):
        x[:, step] = [_number(row[at], f"{table.origin}: step {step} of {names[at]!r}") for at in chosen]
    return _Series(x, tuple(names[at] for at in chosen) if table.names else None, table.origin, tuple(notes))


def _number(cell: Any, where: str) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        what = "the cell is empty" if cell is None or not str(cell).strip() else f"{str(cell)[:40]!r} is no number"
        raise InputError(f"{where}: {what}; expected a number for each step of each channel") from None


def _placed(values: Array32, axes: Axes, origin: str) -> Array32:
    """Bring an array, with or without a batch axis of one row, to (C, T)."""
    rank = len(axes.layout)
    if values.ndim == rank - 2 and axes.channel_count in (None, 1):
        values = values[None] if axes.layout != "NTC" else values[:, None]
    if values.ndim == rank - 1:
        values = values[None]
    if values.ndim != rank or len(values) != 1:
        raise InputError(
            f"{origin}: an array of shape {list(values.shape)} is no series for the input {axes.tensor}; "
            f"expected one, {axes.layout[1:].replace('', ' ').strip()}"
        )
    return np.ascontiguousarray(axes.view(values)[0])


def _check(x: Array32, axes: Axes, origin: str) -> None:
    if axes.channel_count not in (None, len(x)) or axes.steps not in (None, x.shape[1]):
        raise InputError(
            f"{origin}: {len(x)} channel{'s' * (len(x) != 1)} of {x.shape[1]} steps; the input {axes.tensor} takes "
            f"{axes.channel_count or 'any'} of {axes.steps or 'any'}"
        )
    if not np.isfinite(x).all():
        channel, step = np.argwhere(~np.isfinite(x))[0]
        raise InputError(f"{origin}: channel {channel} has a gap at step {step}; fill in NaN and infinite values first")


def _features(axes: Axes, x: Array32, cut: Segments, reading: "Reading") -> NumericFeatures:
    """Segments over all channels are pieces of one line; those of single channels have no neighbour beside them."""
    fill = fill_for(reading.fill or "mean", x, cut.starts, reading.seed)
    if not cut.per_channel:
        return NumericFeatures(
            source=axes.tensor.name, x=x, fill=fill, labels=cut.labels, view=axes.view, names=cut.names, is_grid=True
        )
    return NumericFeatures(
        source=axes.tensor.name, x=x[None], fill=fill[None], labels=cut.labels,
        view=lambda out: axes.view(out)[:, None], names=cut.names,
    )  # fmt: skip


def _refill(x: Array32, cut: Segments, fill: str, seed: int) -> npt.NDArray[np.float32]:
    values = fill_for(fill, x, cut.starts, seed)
    return values[None] if cut.per_channel else values

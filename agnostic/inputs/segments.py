"""Cut a series into features, and what stands in for a segment that is off."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError, unknown
from agnostic.inputs.array import feature_names

Array32 = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

DEFAULT_SEGMENTS = 8
KINDS = ("changes:8", "windows:8", "steps")
FILLS = ("mean", "zero", "line", "noise")


class Segments(NamedTuple):
    """A series cut into features.

    Attributes:
        labels: (T,) int32 where a feature spans all channels, or (C, T).
        names: one per feature.
        starts: where each segment along time begins.
        per_channel: whether each channel has features of its own.
    """

    labels: Labels
    names: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    per_channel: bool


def segments(features: str | Labels | None, x: Array32, channels: tuple[str, ...]) -> Segments:
    """Cut a series (C, T) into features.

    Args:
        features: `changes[:N]` (at most N, cut where the series changes), `windows[:N]` (N of equal length), or
            `steps`, each with `,per-channel` for features of single channels; or labels (T,) or (C, T) from 0 up.
        x: (C, T) float32.
        channels: their names.

    Raises:
        UsageError: an unknown kind, or labels of another shape.
    """
    if features is not None and not isinstance(features, str):
        return _own(np.asarray(features), x, channels)
    kind, comma, more = (features or KINDS[0]).partition(",")
    if comma and more.strip() != "per-channel":
        raise UsageError(f"features {features!r}: expected per-channel behind the comma")
    starts = _starts(kind.strip(), x)
    numbers = np.searchsorted(starts, np.arange(x.shape[1]), side="right") - 1
    if not comma or len(x) == 1:
        return Segments(numbers.astype(np.int32), _names(starts, x.shape[1]), starts, per_channel=False)
    labels = (np.arange(len(x))[:, None] * len(starts) + numbers).astype(np.int32)
    names = tuple(f"{channel}, {name}" for channel in channels for name in _names(starts, x.shape[1]))
    return Segments(labels, names, starts, per_channel=True)


def _starts(kind: str, x: Array32) -> npt.NDArray[np.int64]:
    """Where the segments begin, rising from 0."""
    name, _, size = kind.partition(":")
    steps = x.shape[1]
    if kind == "steps":
        return np.arange(steps)
    if name not in ("changes", "windows"):
        raise unknown("features", kind, KINDS, "of a series: changes[:N], windows[:N] or steps, and ,per-channel")
    if size and (not size.isdigit() or int(size) < 1):
        raise UsageError(f"features {kind!r}: expected a number of at least 1 behind the colon")
    count = min(int(size) if size else DEFAULT_SEGMENTS, steps)
    if name == "changes" and np.ptp(x, axis=1).any():
        from agnostic.kernels.changes import changes

        spread = x.std(axis=1, keepdims=True, dtype=np.float64)
        return changes(np.divide(x, spread, out=np.zeros(x.shape), where=spread > 0), count)
    return np.asarray(np.arange(count) * steps // count, np.int64)


def _names(starts: npt.NDArray[np.int64], steps: int) -> tuple[str, ...]:
    """Name segments by their steps, the last one included.

    >>> _names(np.array([0, 3, 4]), 9)
    ('0-2', '3', '4-8')
    """
    lasts = [*(starts[1:] - 1), steps - 1]
    return tuple(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, lasts, strict=True))


def _own(labels: npt.NDArray[np.generic], x: Array32, channels: tuple[str, ...]) -> Segments:
    if labels.shape not in (x.shape, x.shape[1:]) or labels.dtype.kind not in "iu":
        raise UsageError(
            f"features: labels of {labels.dtype} {list(labels.shape)} do not fit a series of {x.shape[1]} steps; "
            f"expected whole numbers [{x.shape[1]}] or [{len(x)}, {x.shape[1]}]"
        )
    rows = labels.astype(np.int32)
    names = feature_names(rows)
    cuts = np.flatnonzero((np.diff(rows, axis=-1) != 0).reshape(-1, x.shape[1] - 1).any(axis=0)) + 1
    return Segments(rows, names, np.concatenate([[0], cuts]), per_channel=rows.ndim == 2)


def fill_for(fill: str, x: Array32, starts: npt.NDArray[np.int64], seed: int) -> Array32:
    """Compute what stands in where a segment is off: (C, T) float32.

    Args:
        fill: `mean` (of each channel), `zero`, `line` (straight across each segment, from the step before it to the one
            behind it), or `noise` (normal, with the mean and spread of the channel).
        x: (C, T).
        starts: where the segments begin.
        seed: of the noise.

    Raises:
        UsageError: an unknown fill.
    """
    painters: dict[str, Callable[[], npt.NDArray[np.floating]]] = {
        "mean": lambda: np.broadcast_to(x.mean(axis=1, keepdims=True, dtype=np.float64), x.shape),
        "zero": lambda: np.zeros(x.shape),
        "line": lambda: _lines(x, starts),
        "noise": lambda: _noise(x, seed),
    }
    if fill not in painters:
        raise unknown("fill", fill, FILLS, f"of a series: {', '.join(FILLS)}")
    return np.ascontiguousarray(painters[fill](), np.float32)


def _lines(x: Array32, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Draw a line across each segment; at an end of the series, where there is but one neighbour, a level one."""
    steps = x.shape[1]
    lines = np.empty(x.shape)
    for start, stop in zip(starts, [*starts[1:], steps], strict=True):
        before, behind = max(int(start) - 1, -1), int(stop)
        known = [at for at in (before, behind) if 0 <= at < steps] or [0]
        for channel, row in enumerate(x):
            lines[channel, start:stop] = np.interp(np.arange(start, stop), known, row[known])
    return lines


def _noise(x: Array32, seed: int) -> npt.NDArray[np.float64]:
    random = np.random.default_rng(seed)
    mean, spread = (measure(x, axis=1, keepdims=True, dtype=np.float64) for measure in (np.mean, np.std))
    return np.asarray(mean + spread * random.standard_normal(x.shape))

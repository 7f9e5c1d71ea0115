"""Occlusion: how much the score falls when a part of the input is covered."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from agnostic.engine.sweep import Block, Rows
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.inputs.features import Features, Keep
from agnostic.methods.registry import Attribution, Task, method

Sizes = tuple[int, ...]
Boxes = npt.NDArray[np.int64]

# On a grid, a window spans a fifth of a side and moves by a quarter of itself.
WINDOWS_PER_SIDE = 5
STRIDES_PER_WINDOW = 4


@method("occlusion", needs=("forward",), summary="How much the score falls when a window covers a part of the input.")
def occlusion(
    task: Task,
    *,
    window: int | Sizes | None = None,
    stride: int | Sizes | None = None,
    by: Literal["auto", "windows", "segments"] = "auto",
) -> Attribution:
    """Cover parts of the input one after another (Zeiler and Fergus, ECCV 2014).

    The value of a position is the mean of (score - score with it covered) over the parts that cover it.

    Args:
        task: the question.
        window: size of the window, one number or one per axis; by default a fifth of a picture's side, else 1.
        stride: step of the window, one number or one per axis, at most the window; by default a quarter of it.
        by: windows, or segments to switch each feature off on its own; auto takes windows where neighbours are alike,
            as in a picture, or where a window is given.
    """
    features = task.sample.features
    if by == "windows" or (by == "auto" and (features.is_grid or window is not None or stride is not None)):
        return _by_windows(task, _boxes(features, window, stride))
    if window is not None or stride is not None:
        raise UsageError("--by segments has no window; drop --window and --stride, or take --by windows")
    return _by_segments(task)


def _by_windows(task: Task, boxes: Boxes) -> Attribution:
    from agnostic.kernels.windows import spread

    features = task.sample.features

    def write(start: int, stop: int, rows: Rows) -> None:
        features.erase(boxes[start:stop], rows)

    falls = _falls(task, len(boxes), task.sweep(len(boxes), write, boxes))
    values = spread(falls, boxes, features.shape).values
    facts = [{"by": "windows", "window": np.ptp(boxes[0], axis=1).tolist(), "passes": len(boxes)}] * len(task.targets)
    return Attribution(values.astype(np.float32), np.full(len(values), np.nan), facts=facts)


def _by_segments(task: Task) -> Attribution:
    features = task.sample.features

    def without(start: int, stop: int) -> Keep:
        keep = np.ones((stop - start, features.count), np.bool_)
        keep[np.arange(stop - start), np.arange(start, stop)] = False
        return keep

    falls = _falls(task, features.count, task.sweep_patterns(features.count, without))
    weights = falls.T.astype(np.float32)
    facts = [{"by": "segments", "passes": features.count}] * len(weights)
    return Attribution(features.paint(weights), np.full(len(weights), np.nan), weights, facts)


def _falls(task: Task, count: int, blocks: Iterator[Block]) -> Floats:
    """How far each target's score falls: (count, targets)."""
    falls = np.empty((count, len(task.targets)))
    for block in blocks:
        falls[block.start : block.stop] = task.scores - block.scores
    return falls


def _boxes(features: Features, window: int | Sizes | None, stride: int | Sizes | None) -> Boxes:
    """Lay out the windows; whatever is not given follows from the grid's size."""
    from agnostic.kernels.windows import windows

    shape = features.shape
    usual = tuple(max(1, round(side / WINDOWS_PER_SIDE)) if features.is_grid else 1 for side in shape)
    sizes = _per_axis("window", window, usual)
    steps = _per_axis("stride", stride, tuple(max(1, size // STRIDES_PER_WINDOW) for size in sizes))
    for size, step, side in zip(sizes, steps, shape, strict=True):
        if not 1 <= step <= size <= side:
            raise UsageError(
                f"--window {_text(sizes)} --stride {_text(steps)} on {_text(shape)} positions: "
                "expected 1 <= stride <= window <= positions along each axis"
            )
    return windows(shape, sizes, steps)


def _per_axis(name: str, given: int | Sizes | None, usual: Sizes) -> Sizes:
    if given is None:
        return usual
    sizes = (given,) * len(usual) if isinstance(given, int) else tuple(given)
    if len(sizes) != len(usual):
        raise UsageError(f"--{name} {_text(sizes)}: expected one number, or one for each of {len(usual)} axes")
    return sizes


def _text(sizes: Sizes) -> str:
    return ",".join(map(str, sizes))

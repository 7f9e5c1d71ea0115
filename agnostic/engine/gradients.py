"""The gradient loop: points written batch by batch, differentiated and folded; and the proof of parity.

The counterpart of `engine.sweep` for methods that need gradients.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from agnostic.engine.autograd import INSTEAD, GradientOf, Gradients
from agnostic.engine.limits import current
from agnostic.engine.model import Model, checked
from agnostic.engine.random_input import random_feeds
from agnostic.engine.runtime import OutOfMemoryError, as_dtype
from agnostic.engine.sweep import DEFAULT_BATCH, Progress, Write
from agnostic.engine.target import Array, Target
from agnostic.errors import InputError, ModelError

if TYPE_CHECKING:
    from agnostic.engine.backward import RuleName

# Relative to the scale of the output: above the first a warning, above the second the gradients are another model's.
SUSPECT, REFUSED = 1e-4, 1e-2
# onnxruntime computes float16 as such, the re-import in float32: they differ by rounding.
SUSPECT_HALF = 5e-3


class Parity(NamedTuple):
    """How far the re-imported graph is from onnxruntime on one input.

    Attributes:
        largest: the largest absolute difference.
        scale: the largest absolute value that onnxruntime gives.
        tensor: where it is.
    """

    largest: float
    scale: float
    tensor: str

    @property
    def relative(self) -> float:
        """The largest difference in units of the output's scale."""
        return self.largest / (self.scale or 1.0)


class GradientBlock(NamedTuple):
    """The gradients at points start..stop; of pairs, at all samples start..stop and then at their references."""

    start: int
    stop: int
    found: Gradients


@dataclass(frozen=True)
class Points:
    """A numbered set of values of one tensor at which gradients are taken.

    Attributes:
        tensor: an input, or a layer that is replaced.
        count: how many there are.
        shape: of one of them, without the batch axis.
        write: `write(start, stop, out)` writes points start..stop into `out` (stop - start, *shape) float32; number i
            is the same whatever batch it is asked for in.
    """

    tensor: str
    count: int
    shape: tuple[int, ...]
    write: Write


def gradient_sweep(
    model: Model,
    arrays: Mapping[str, Array],
    points: Points,
    targets: Sequence[Target],
    at: Sequence[str],
    *,
    of: GradientOf = "logit",
    rule: "RuleName" = "plain",
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Iterator[GradientBlock]:
    """Differentiate targets at every point, batch by batch, in order.

    Args:
        model: the model.
        arrays: the sample, one row per input; what is not written stays as it is.
        points: where to differentiate.
        targets: what is differentiated.
        at: by which tensors.
        of: the logit, the probability or the loss of the target.
        rule: how nonlinearities hand gradients back; `rescale` pairs point i with count / 2 + i, its reference, and a
            block then counts pairs: a batch holds only whole ones.
        batch_size: points per pass; halved for good when a pass asks for more memory than there is.
        progress: called with (done, count) after each batch.

    Raises:
        ModelError: there is no gradient.
        ItemError: a score is NaN or infinite.
        LimitError: the deadline passed, or one point does not fit into memory.
    """
    width = 2 if rule == "rescale" else 1
    count = points.count // width
    size = max(1, min((batch_size or DEFAULT_BATCH) // width, count)) if model.takes_batches else 1
    if width > 1 and not model.takes_batches:
        raise ModelError(f"this graph is fixed to one row at a time, and {rule} compares two in one pass; {INSTEAD}")
    buffer = np.empty((size * width, *points.shape), np.float32)
    start = 0
    while start < count:
        if (deadline := current()) is not None:
            deadline.check()
        stop = min(start + size, count)
        batch = buffer[: (stop - start) * width]
        for part, rows in enumerate(np.split(batch, width)):
            points.write(part * count + start, part * count + stop, rows)
        try:
            found = _differentiate(model, arrays, points, batch, targets, at, of, rule)
        except OutOfMemoryError:
            if size == 1:
                raise
            size = (size + 1) // 2
            buffer = buffer[: size * width].copy()
            continue
        checked(found.scores, targets)
        yield GradientBlock(start, stop, found)
        start = stop
        if progress is not None:
            progress(start * width, points.count)


def _differentiate(
    model: Model,
    arrays: Mapping[str, Array],
    points: Points,
    batch: npt.NDArray[np.float32],
    targets: Sequence[Target],
    at: Sequence[str],
    of: GradientOf,
    rule: "RuleName",
) -> Gradients:
    feeds = {
        name: np.repeat(value, len(batch), axis=0) if name in model.batched_inputs else value
        for name, value in arrays.items()
    }
    is_input = points.tensor in feeds
    if is_input:
        feeds[points.tensor] = as_dtype(batch, arrays[points.tensor].dtype)
    values = None if is_input else {points.tensor: batch}
    tensors = list(dict.fromkeys([*at] if is_input else [points.tensor, *at]))
    axis = model.names.class_axis
    model.count_rows(len(batch))
    return model.autograd.gradients(feeds, targets, tensors, values=values, of=of, class_axis=axis, rule=rule)


def gradient_of_rows(
    model: Model,
    feeds: Mapping[str, Array],
    targets: Sequence[Target],
    at: str,
    of: GradientOf = "logit",
    batch_size: int | None = None,
) -> npt.NDArray[np.float32]:
    """Differentiate targets by one tensor at every given row: (targets, n, ...).

    Raises:
        ModelError: there is no gradient, or the re-imported graph is not the same model.
    """
    certified(
        model, {name: value[:1] if name in model.batched_inputs else value for name, value in feeds.items()}, targets
    )
    count = len(feeds[next(iter(model.batched_inputs & feeds.keys()))])
    size = 1 if not model.takes_batches else batch_size or DEFAULT_BATCH
    found: list[npt.NDArray[np.float32]] = []
    start = 0
    while start < count:
        stop = min(start + size, count)
        rows = {name: value[start:stop] if name in model.batched_inputs else value for name, value in feeds.items()}
        try:
            gradients = model.autograd.gradients(rows, targets, [at], of=of, class_axis=model.names.class_axis)
        except OutOfMemoryError:
            if size == 1:
                raise
            size = (size + 1) // 2
            continue
        model.count_rows(stop - start)
        found.append(gradients.gradients[at])
        start = stop
    return np.concatenate(found, axis=1)


def parity(model: Model, x: Array | Mapping[str, Array], targets: Sequence[Target] = ()) -> Parity:
    """Compare the re-imported graph with onnxruntime on one input: on the class scores and the targets' tensors."""
    feeds = model.feeds(x)
    tensors = list(dict.fromkeys([model.scores_tensor, *(name for target in targets for name in target.tensors)]))
    expected, got = model.run(feeds, tensors), model.autograd.forward(feeds, tensors)
    rows = [_difference(name, expected[name], got[name]) for name in tensors]
    return max(rows, key=lambda row: row.relative)


def _difference(name: str, expected: Array, got: Array) -> Parity:
    if expected.shape != got.shape:
        return Parity(float("inf"), 1.0, name)
    reference = expected.astype(np.float64)
    largest = float(np.abs(reference - got.astype(np.float64)).max(initial=0.0))
    return Parity(largest if np.isfinite(largest) else float("inf"), float(np.abs(reference).max(initial=0.0)), name)


def certified(model: Model, x: Array | Mapping[str, Array], targets: Sequence[Target]) -> Parity:
    """Take the parity on this very input, and once per model on a random one; judge both.

    A warning where they are suspect, an error where the graphs are not the same.

    Raises:
        ModelError: they differ by more than a hundredth of the output's scale, and the model does not allow that.
    """
    found = parity(model, x, targets)
    _judge(model, found, "")
    if (random := random_parity(model, x)) is not None and random.relative > found.relative:
        _judge(model, random, " on a random input")
    return found


# One entry per model, forgotten with it; None where no random input could be run.
_RANDOM: WeakKeyDictionary[Model, Parity | None] = WeakKeyDictionary()


def random_parity(model: Model, x: Array | Mapping[str, Array]) -> Parity | None:
    """Compare the class scores on a random input like `x`, the first time that it is asked of a model.

    What is wrong in the re-import may not show on an input of zeros, say. The comparison belongs to the model and not
    to an explanation, so its pass is not counted.

    Returns:
        None where there is no random input that the model can run.
    """
    if model not in _RANDOM:
        before = model.evaluations
        _RANDOM[model] = _on_random(model, model.feeds(x))
        model.count_rows(before - model.evaluations)
    return _RANDOM[model]


def _on_random(model: Model, feeds: Mapping[str, Array]) -> Parity | None:
    drawn = random_feeds(model, feeds)
    if drawn is None:
        return None
    try:
        found = parity(model, drawn)
    except (InputError, ModelError):
        return None
    return found if np.isfinite(found.scale) else None


def _judge(model: Model, found: Parity, where: str) -> None:
    if found.relative > REFUSED and not model.allow_parity:
        raise ModelError(
            f"the re-imported graph is not the same model: {found.tensor!r} differs by {found.largest:.2g} "
            f"of {found.scale:.2g}{where}; gradients would mislead (--allow-parity overrides); "
            "perturbation methods do work"
        )
    if found.relative > (SUSPECT_HALF if _is_half(model) else SUSPECT):
        warnings.warn(
            f"parity {found.largest:.2g} on values up to {found.scale:.2g} at {found.tensor!r}{where}: "
            "the re-imported graph is near the model, not equal to it",
            RuntimeWarning,
            stacklevel=3,
        )


def _is_half(model: Model) -> bool:
    kinds = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return any(item.data_type in kinds for item in model.proto.graph.initializer)

"""What attention methods share: the chain of self-attentions behind an answer, its gradients, and which tokens count.

A chain is the attentions between the explained input and the targets, all over the same T tokens. Every method folds
it into one matrix per target, (T, T), whose row i says what token i drew from the others; `Chain.read` takes the rows
that the answer is read from, and `attribution` brings their tokens back to the places of the input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.converters.attention import Attention
from agnostic.converters.graph import dependents
from agnostic.converters.readout import ALL, Rows, rows_read
from agnostic.converters.tokens import TokenGrid, token_grid
from agnostic.engine.attention import opened
from agnostic.engine.autograd import GradientOf
from agnostic.engine.gradients import Points, gradient_sweep
from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import AgnosticError, InputError, ItemError, UsageError
from agnostic.methods._maps import paint, upstream
from agnostic.methods.registry import Attribution, Task, check_positive

Array32 = npt.NDArray[np.float32]

_NONE = "no attention was found in it: no softmax over the places between two matrix products"
_WINDOWED = (
    "it attends within windows of {window} of its {places} tokens, where tokens of different windows have no common "
    "attention matrix; take gradcam or occlusion"
)


@dataclass(frozen=True)
class Chain:
    """The self-attentions that a method folds.

    Attributes:
        task: the question, about a model whose attentions have names.
        attentions: in the order of the graph, from the first that counts.
        maps: what they hold on the sample, (heads, T, T) float64 each.
        readout: the tokens that the answer is read from.
        of: what is differentiated.
        whole: how many tokens the attentions are over, padding included.
        used: those of them that are no padding, which are T.
    """

    task: Task
    attentions: tuple[Attention, ...]
    maps: tuple[npt.NDArray[np.float64], ...]
    readout: tuple[Rows, ...]
    of: GradientOf
    whole: int
    used: slice

    @property
    def size(self) -> int:
        """How many tokens there are, without padding."""
        return len(self.maps[0][0])

    @cached_property
    def gradients(self) -> tuple[npt.NDArray[np.float64], ...]:
        """The derivatives of the targets by every attention at the sample: (targets, heads, T, T) each."""
        names = [item.probabilities for item in self.attentions]
        found = _swept(self, np.ones(1), names)
        return tuple(found[name] for name in names)

    def feedback(self, steps: int) -> npt.NDArray[np.float64]:
        """Integrate the gradient of the last attention from a zero input to the sample: (targets, T, T).

        The mean over the path, at the middles of `steps` equal parts; then its positive part, averaged over heads.

        Args:
            steps: points on the path.
        """
        check_positive(steps=steps)
        last = self.attentions[-1].probabilities
        mean = _swept(self, (np.arange(steps) + 0.5) / steps, [last])[last] / steps
        folded: npt.NDArray[np.float64] = np.maximum(mean, 0).mean(axis=1)
        return folded

    def read(self, matrices: npt.NDArray[np.float64]) -> Array32:
        """Average the rows that the answer is read from: (targets, T, T) to (targets, T)."""
        rows = [matrices[:, part.slice()].mean(axis=1) for part in self.readout]
        read: Array32 = np.mean(rows, axis=0).astype(np.float32)
        return read

    def facts(self, **more: Any) -> Sequence[Mapping[str, Any]]:
        """Say what was folded and read, once per target."""
        read = ["mean of all tokens" if part == ALL else f"tokens {part.start}:{part.stop}" for part in self.readout]
        layers = [item.probabilities for item in self.attentions]
        return [{"attentions": layers, "tokens": self.size, "read_from": ", ".join(read), **more}] * len(
            self.task.targets
        )


class _Path(NamedTuple):
    """Where the input's values enter the graph, and what they are there: no batch axis."""

    tensor: str
    values: Array32


def obstacle(model: Model) -> str | None:
    """Say why a model has no chain of self-attentions; None when it has, as far as its file tells."""
    try:
        _, found = opened(model)
    except AgnosticError as error:
        return str(error)
    return _trouble(found, {item.probabilities: item.shape for item in found})


def chain(
    task: Task, *, start_layer: int, share: float = 0.0, readout: str = "auto", of: GradientOf = "logit"
) -> Chain:
    """Find the attentions between the sample and the targets, and run the model once for what they hold.

    Args:
        task: the question.
        start_layer: the first attention that counts, from 0; -1 to skip a share of them.
        share: that share of the depth.
        readout: `auto`, `class`, `mean` or the number of a token.
        of: what is differentiated.

    Raises:
        UsageError: there is no such chain, or a setting does not fit it.
    """
    if task.at is not None:
        raise UsageError(f"attention methods read every attention and no single layer; drop --at {task.at}")
    model, found = opened(task.model)
    asked = replace(task, model=model)
    between = _between(asked, found)
    held = model.run(task.sample.arrays, [item.probabilities for item in between]) if between else {}
    if reason := _trouble(between, {name: value.shape for name, value in held.items()}) or _pieces(held):
        raise UsageError(f"{task.model.name!r} has no attention to follow from the input to the target: {reason}")
    size = held[between[0].probabilities].shape[-1]
    start = _start(start_layer, share, len(between))
    maps = [held[item.probabilities].reshape(-1, size, size).astype(np.float64) for item in between[start:]]
    used = _used(task, size)
    maps = [item[:, used, used] for item in maps]
    rows = _rows(model, readout, between[-1], len(maps[0][0]), _special(task, between[-1], size))
    if model is not task.model:
        task.model.count_rows(1)
    return Chain(asked, between[start:], tuple(maps), rows, of, size, used)


def attribution(task: Task, tokens: Array32, found: Chain, **facts: Any) -> Attribution:
    """Bring what the tokens got to the places of the input: (targets, T) to a record; `detail` keeps all tokens.

    Raises:
        InputError: the tokens are not the entries of the array that was given.
        ItemError: no token got anything.
    """
    for target, row in zip(task.targets, tokens, strict=True):
        if not row.any():
            raise ItemError(
                f"no attention raises the score of {target.name!r} on this input; explain a difference to another "
                "class, as in 'A - B', or take rollout"
            )
    features = task.sample.features
    if found.size < found.whole:
        inside, tokens = tokens, np.zeros((len(tokens), found.whole), np.float32)
        tokens[:, found.used] = inside
    if features.is_grid:
        grid = _grid(task, found.attentions[-1], found.size)
        maps = tokens[:, grid.places].reshape(-1, grid.height, grid.width)
        values = paint(maps, features.shape)
    else:
        values = _along(tokens, features.shape)
    bases = np.full(len(tokens), np.nan)
    return Attribution(values, bases, facts=found.facts(signed=False, **facts), detail=tokens)


def _along(tokens: Array32, shape: tuple[int, ...]) -> Array32:
    """Lay tokens along the first axis of an array's entries; tokens before those of the entries are left out."""
    special = tokens.shape[1] - shape[0]
    if special < 0:
        raise InputError(f"the model makes {tokens.shape[1]} tokens of {shape[0]} entries: they cannot be told apart")
    own = tokens[:, special:].reshape(len(tokens), shape[0], *[1] * (len(shape) - 1))
    return np.ascontiguousarray(np.broadcast_to(own, (len(tokens), *shape)))


def _between(task: Task, found: Sequence[Attention]) -> tuple[Attention, ...]:
    """Pick the attentions that depend on the sample's source and that every target depends on."""
    reached = dependents(task.model.proto.graph.node, task.sample.source)
    before = set.intersection(*(upstream(task.model, target) for target in task.targets))
    return tuple(item for item in found if item.probabilities in reached & before)


def _trouble(found: Sequence[Attention], shapes: Mapping[str, tuple[int | None, ...] | None]) -> str | None:
    """Say why attentions of these shapes form no chain; None where they do, or may."""
    if not found:
        return _NONE
    sizes: set[int | None] = set()
    for item in found:
        shape = shapes[item.probabilities] or (None, None)
        askers, asked = shape[-2:]
        if askers is not None and asked is not None and askers != asked:
            return f"{item.probabilities!r} is {askers} x {asked}, no attention of tokens to each other; take gradcam"
        if asked is not None and item.places is not None and asked != item.places:
            return _WINDOWED.format(window=asked, places=item.places)
        sizes.add(asked)
        if len(shape) > 4:
            return f"{item.probabilities!r} attends within groups of its tokens; take gradcam or occlusion"
    known = sorted(size for size in sizes if size is not None)
    return f"its attentions are over {known[0]} to {known[-1]} tokens; take gradcam" if len(known) > 1 else None


def _pieces(held: Mapping[str, Array]) -> str | None:
    """Say which attention holds one sample in several pieces."""
    for name, value in held.items():
        if value.ndim == 4 and len(value) != 1:
            return f"{name!r} attends within {len(value)} windows apart from each other; take gradcam or occlusion"
    return None


def _start(start_layer: int, share: float, depth: int) -> int:
    if not -1 <= start_layer < depth:
        raise UsageError(f"--start-layer {start_layer}: expected 0 to {depth - 1}, or -1 for the method's own choice")
    return int(share * depth) if start_layer == -1 else start_layer


def _rows(model: Model, readout: str, last: Attention, size: int, special: int) -> tuple[Rows, ...]:
    """Decide which tokens the answer is read from."""
    if readout == "auto":
        # A graph that does not tell: by custom a class token comes first, where there is one.
        return rows_read(model.proto, last) or ((Rows(0, 1),) if special else (ALL,))
    if readout in ("class", "mean"):
        return (Rows(0, 1),) if readout == "class" else (Rows(special, None),)
    try:
        row = int(readout)
    except ValueError:
        row = size
    if not -size <= row < size:
        raise UsageError(f"--readout {readout}: expected auto, class, mean, or a token from 0 to {size - 1}")
    return (Rows(row % size, row % size + 1),)


def _used(task: Task, size: int) -> slice:
    """Leave padding out: nothing attends to it, and nothing is read from it."""
    features = task.sample.features
    padded = not features.is_grid and features.shape[0] == size
    return features.used if padded else slice(0, size)


def _special(task: Task, last: Attention, size: int) -> int:
    """Count the tokens before those of the input's own places."""
    if task.sample.features.is_grid:
        return _grid(task, last, size).first
    return max(0, size - task.sample.features.shape[0])


def _grid(task: Task, last: Attention, size: int) -> TokenGrid:
    height, width = task.sample.features.shape
    return token_grid(opened(task.model)[0].proto, last.probabilities, size, (height, width))


def _straight(task: Task) -> _Path:
    """Find where a path from nothing to the sample can run: the input itself, or the embeddings of an integer one."""
    source = task.sample.source
    held = task.sample.arrays[source]
    if np.issubdtype(held.dtype, np.floating):
        return _Path(source, np.ascontiguousarray(held[0], np.float32))
    model, found = opened(task.model)
    entry = _between(replace(task, model=model), found)[0].stream
    if not entry:
        raise UsageError("the tokens are integers, and their embedding was not found in the graph: take rollout")
    return _Path(entry, np.ascontiguousarray(model.run(task.sample.arrays, [entry])[entry][0], np.float32))


def _swept(found: Chain, shares: npt.NDArray[np.float64], names: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Differentiate by attentions at shares of the sample, summed over these: by name (targets, heads, T, T)."""
    task, path = found.task, _straight(found.task)
    _ = task.parity

    def write(start: int, stop: int, out: Array32) -> None:
        for row, share in enumerate(shares[start:stop]):
            np.multiply(path.values, share, out=out[row], casting="same_kind")

    sums = dict.fromkeys(names, np.zeros(()))
    for block in gradient_sweep(
        task.model,
        task.sample.arrays,
        Points(path.tensor, len(shares), path.values.shape, write),
        task.targets,
        names,
        of=found.of,
        batch_size=task.batch_size,
        progress=task.progress,
    ):
        for name in names:
            got = block.found.gradients[name]
            rows = got.reshape(len(got), block.stop - block.start, -1, found.whole, found.whole)
            sums[name] = sums[name] + rows[..., found.used, found.used].sum(axis=1, dtype=np.float64)
    return sums

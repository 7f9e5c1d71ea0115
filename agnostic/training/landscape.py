"""The loss over a training set as a function of a model's weights: its slopes and its curvature, batch by batch.

The mean cross-entropy over the n samples, plus half of `l2` times the squared weights (biases and scales left out, as
libraries of linear models have it), plus half of `damping` times all squares: what a weight decay over everything adds,
and what keeps a curvature that is flat somewhere invertible.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from agnostic.converters.cam import Linear, last_linear
from agnostic.engine.gradients import certified
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.parameters import Curvature, Parameters
from agnostic.engine.target import Array, Floats
from agnostic.errors import ModelError, UsageError
from agnostic.training.data import TrainingSet
from agnostic.training.store import Ints

Progress = Callable[[int, int], None]
ROWS = 256
#: Weights: all that were learned, or those of the linear layer that gives the scores.
ALL, LAST = "all", "last"


class Batch(NamedTuple):
    """Some samples: their numbers, what the model eats, their labels."""

    ids: Ints
    feeds: dict[str, Array]
    labels: Ints


@dataclass(frozen=True)
class Landscape:
    """A model, its training set, and the weights that the loss is a function of.

    Attributes:
        model: the model.
        data: its training set.
        parameters: the weights.
        l2: of weights only; the mean loss is what it is added to.
        damping: of everything.
        curvature: which second derivative.
        batch_size: samples per pass.
    """

    model: Model
    data: TrainingSet
    parameters: Parameters
    l2: float = 0.0
    damping: float = 0.0
    curvature: Curvature = "gauss-newton"
    batch_size: int = ROWS

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.l2 < 0 or self.damping < 0:
            raise UsageError(f"l2={self.l2:g}, damping={self.damping:g}: expected numbers from 0")
        if self.curvature not in ("gauss-newton", "hessian"):
            raise UsageError(f"curvature {self.curvature!r}: expected gauss-newton or hessian")
        self.data.checked(classes_of(self.model))

    @cached_property
    def ridge(self) -> Floats:
        """What is added to the curvature's diagonal: (P,)."""
        ridge: Floats = self.damping + self.l2 * self.parameters.decayed.astype(np.float64)
        return ridge

    def batches(
        self, ids: Ints | None = None, size: int | None = None, progress: Progress | None = None
    ) -> Iterator[Batch]:
        """Go through the training set, or some samples of it."""
        chosen = np.arange(len(self.data)) if ids is None else ids
        width = (size or self.batch_size) if self.model.takes_batches else 1
        for start in range(0, len(chosen), width):
            if (deadline := current()) is not None:
                deadline.check()
            yield self.batch(chosen[start : start + width])
            if progress is not None:
                progress(min(start + width, len(chosen)), len(chosen))

    def batch(self, ids: Ints) -> Batch:
        """Read some samples."""
        feeds = self.model.feeds(self.data.rows(self.model, ids))
        self.model.count_rows(len(ids))
        return Batch(ids, feeds, self.data.labels[ids])

    def product(self, vector: Floats, ids: Ints | None = None) -> Floats:
        """The curvature of the loss over the training set, or some samples of it, times a vector: (P,)."""
        total = np.zeros_like(vector)
        count = 0
        for batch in self.batches(ids):
            total += self.parameters.product(batch.feeds, batch.labels, vector, self.curvature)
            count += len(batch.ids)
        return total / count + self.ridge * vector

    def row_dots(self, directions: Floats, progress: Progress | None = None) -> Floats:
        """How much each sample's loss rises along each direction: (n, k) for (k, P)."""
        found = [
            self.parameters.row_dots(batch.feeds, batch.labels, directions) for batch in self.batches(progress=progress)
        ]
        return np.concatenate(found)

    def row_gradients(
        self, ids: Ints | None = None, progress: Progress | None = None
    ) -> Iterator[tuple[Batch, Floats]]:
        """Each sample's gradient of its loss, batch by batch: (b, P)."""
        # A batch of gradients is held at once.
        size = max(1, min(self.batch_size, 2**25 // max(self.parameters.size, 1)))
        for batch in self.batches(ids, size, progress):
            yield batch, self.parameters.row_gradients(batch.feeds, batch.labels)


def landscape(
    model: Model,
    data: TrainingSet,
    *,
    weights: str | Sequence[str] = ALL,
    l2: float = 0.0,
    damping: float = 0.0,
    curvature: Curvature = "gauss-newton",
    batch_size: int | None = None,
    double: bool = False,
) -> Landscape:
    """Make the landscape of a model's loss, after checking that its gradients are those of the model.

    Args:
        model: the model.
        data: its training set.
        weights: `all`, `last`, or names of tensors.
        l2: of weights, biases and scales left out.
        damping: of everything.
        curvature: which second derivative.
        batch_size: samples per pass.
        double: compute in float64.

    Raises:
        UsageError: torch is not installed, or a setting does not fit.
        ModelError: there are no gradients, or the last layer is not linear.
        InputError: the data does not fit the model.
    """
    names = chosen_weights(model, weights)
    parameters = Parameters(model, names, double=double)
    first = data.rows(model, np.arange(1))
    certified(model, first, ())
    return Landscape(model, data, parameters, l2, damping, curvature, batch_size or ROWS)


def classes_of(model: Model) -> int | None:
    """How many classes a model tells apart, where the graph says so; a single score is one for two."""
    count = model.names.class_count
    return None if count is None else max(count, 2)


def chosen_weights(model: Model, weights: str | Sequence[str]) -> tuple[str, ...] | None:
    """The names of the weights that are meant; None for all."""
    if weights == ALL:
        return None
    if weights == LAST:
        return head_of(model).names
    return tuple(weights.split(",") if isinstance(weights, str) else weights)


def head_of(model: Model) -> Linear:
    """The linear layer that gives the class scores.

    Raises:
        ModelError: they come from something else.
    """
    found = last_linear(model.proto, model.scores_tensor)
    if found is None:
        raise ModelError(
            f"{model.name}: its scores do not come from a linear layer; take all weights, with the solver cg or ekfac"
        )
    return found

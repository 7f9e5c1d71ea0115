"""The last linear layer in closed form: its curvature is written out and inverted, and nothing needs torch.

With features h (a one added for the bias), class probabilities p and one-hot label y, a sample's gradient is
(p - y) h^T and the curvature of the mean loss is the mean of (diag p - p p^T) (x) h h^T. On a logistic regression that
is the whole model, and the influence is exact up to the third order in 1 / n. What lies before the layer is held fixed.
"""

from typing import NamedTuple

import numpy as np

from agnostic.engine.model import Model
from agnostic.engine.target import Array, Floats, Target, Term
from agnostic.errors import LimitError, ModelError, UsageError
from agnostic.training.data import TrainingSet
from agnostic.training.landscape import ROWS, Progress, head_of
from agnostic.training.store import Ints

#: Numbers of weights at most: what is inverted is that many squared.
MOST = 6000
#: Curvatures below this share of the largest are none: the softmax does not see what is added to all classes.
FLAT = 1e-10


class Rows(NamedTuple):
    """Some samples as the last layer sees them.

    Attributes:
        features: (b, d + 1), or (b, d) where the layer has no bias.
        chances: (b, classes) probabilities; (b, 1) where one score stands for two classes.
    """

    features: Floats
    chances: Floats


class LastLayer:
    """A model's last linear layer over its training set."""

    def __init__(
        self, model: Model, data: TrainingSet, *, l2: float = 0.0, damping: float = 0.0,
        batch_size: int | None = None, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """Run the training set up to the layer, and invert the curvature.

        Args:
            model: the model.
            data: its training set.
            l2: of the layer's weights; the mean loss is what half of it times their squares is added to.
            damping: the same of weights and bias.
            batch_size: samples per run.
            progress: called with how many samples are done, and of how many.

        Raises:
            ModelError: the scores do not come from a linear layer.
            LimitError: it has too many weights to invert their curvature.
        """
        self.model, self._head = model, head_of(model)
        classes, width = self._head.weights.shape
        self._biased = len(self._head.names) > 1
        self.size = classes * (width + self._biased)
        if self.size > MOST:
            raise LimitError(
                f"{model.name}: its last layer has {self.size} weights; exact takes {MOST} at most: take cg or ekfac "
                "with --weights last"
            )
        if l2 < 0 or damping < 0:
            raise UsageError(f"l2={l2:g}, damping={damping:g}: expected numbers from 0")
        data.checked(max(classes, 2))
        self._rows = self._run(data, batch_size or ROWS, progress)
        self._labels = data.labels
        ridge = np.full((classes, width + self._biased), l2 + damping)
        ridge[:, width:] = damping
        curvature = _curvature(self._rows) / len(data) + np.diag(ridge.reshape(-1))
        bends, self._turns = np.linalg.eigh(curvature)
        self._inverse = np.where(bends > FLAT * bends[-1], 1 / np.maximum(bends, FLAT * bends[-1]), 0.0)

    def solve(self, vectors: Floats) -> Floats:
        """The inverse curvature's products with (k, P) vectors."""
        found: Floats = ((vectors @ self._turns) * self._inverse) @ self._turns.T
        return found

    def row_dots(self, directions: Floats) -> Floats:
        """How much each sample's loss rises along each direction: (n, k) for (k, P)."""
        shaped = directions.reshape(len(directions), self._rows.chances.shape[1], -1)
        along = np.einsum("nd,kcd->nkc", self._rows.features, shaped)
        found: Floats = np.einsum("nkc,nc->nk", along, self._slopes(slice(None)))
        return found

    def norms(self, ids: Ints) -> Floats:
        """Take g H^-1 g of some samples' gradients of their loss: (k,)."""
        parts = []
        for start in range(0, len(ids), ROWS):
            chosen = ids[start : start + ROWS]
            rows = self._slopes(chosen)[:, :, None] * self._rows.features[chosen][:, None, :]
            parts.append(((rows.reshape(len(chosen), -1) @ self._turns) ** 2 * self._inverse).sum(axis=1))
        return np.concatenate(parts)

    def loss_gradient(self, feeds: dict[str, Array], labels: Ints) -> Floats:
        """The gradient of the loss of a query: (P,)."""
        rows = self._seen(feeds)
        return (_slopes(rows.chances, labels).T @ rows.features).reshape(-1)

    def target_gradient(self, feeds: dict[str, Array], target: Target) -> Floats:
        """The gradient of a class score, or a sum of them, at a query: (P,).

        Raises:
            ModelError: the target is no sum of class scores.
        """
        weights = np.zeros(self._rows.chances.shape[1])
        for term in target.terms:
            if not isinstance(term, Term) or term.tensor != self.model.scores_tensor or len(term.index) > 1:
                raise ModelError(
                    f"the last layer's weights do not reach {target.name!r}: take the solver cg or ekfac, with all "
                    "weights"
                )
            at = term.index[0] if term.index else 0
            weights += term.weight * (
                np.full(len(weights), 1 / len(weights)) if at is None else np.eye(len(weights))[at]
            )
        return np.outer(weights, self._seen(feeds).features.sum(axis=0)).reshape(-1)

    def _slopes(self, chosen: Ints | slice) -> Floats:
        return _slopes(self._rows.chances[chosen], self._labels[chosen])

    def _run(self, data: TrainingSet, size: int, progress: Progress | None) -> Rows:
        parts = []
        for start in range(0, len(data), size):
            ids = np.arange(start, min(start + size, len(data)))
            parts.append(self._seen(self.model.feeds(data.rows(self.model, ids))))
            if progress is not None:
                progress(int(ids[-1]) + 1, len(data))
        return Rows(*(np.concatenate(items) for items in zip(*parts, strict=True)))

    def _seen(self, feeds: dict[str, Array]) -> Rows:
        names = (self._head.source, self.model.scores_tensor)
        fetched = self.model.run(feeds, names)
        features, scores = (fetched[name].astype(np.float64) for name in names)
        features = features.reshape(len(features), -1)
        if features.shape[1] != self._head.weights.shape[1]:
            raise ModelError(f"{self.model.name}: its last layer is applied at several places; take cg or ekfac")
        if self._biased:
            features = np.concatenate([features, np.ones((len(features), 1))], axis=1)
        return Rows(features, _chances(scores.reshape(len(scores), -1)))


def _chances(scores: Floats) -> Floats:
    if scores.shape[1] == 1:
        chance: Floats = 1 / (1 + np.exp(-scores))
        return chance
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax: Floats = powers / powers.sum(axis=1, keepdims=True)
    return softmax


def _slopes(chances: Floats, labels: Ints) -> Floats:
    """The loss's slope by each score: (b, classes)."""
    if chances.shape[1] == 1:
        return chances - labels[:, None]
    found = chances.copy()
    found[np.arange(len(labels)), labels] -= 1
    return found


def _curvature(rows: Rows) -> Floats:
    """The sum over the samples of (diag p - p p^T) (x) h h^T: (P, P)."""
    features, chances = rows
    classes, width = chances.shape[1], features.shape[1]
    found = np.empty((classes, width, classes, width))
    for one in range(classes):
        for other in range(one + 1):
            same = chances[:, one] if one == other else 0.0
            weight = same - chances[:, one] * chances[:, other]
            block = (features * weight[:, None]).T @ features
            found[one, :, other], found[other, :, one] = block, block
    return found.reshape(classes * width, -1)

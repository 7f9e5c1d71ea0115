"""Gradients by a model's own weights: of its loss on training samples, and of any target.

The re-imported graph takes weights by name like any other tensor, so that they are leaves here and constants everywhere
else. Whatever crosses this door is NumPy: all chosen weights laid end to end are a vector of P numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.autograd import read_target, torch_errors
from agnostic.engine.model import Model
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import ModelError, unknown

if TYPE_CHECKING:
    from torch import Tensor

Ints = npt.NDArray[np.int64]
#: The second derivative of the loss, or its part that is never negative: what it would be if the scores were linear.
Curvature = Literal["gauss-newton", "hessian"]
NO_WEIGHTS = "has no floating weights that a gradient could reach; trees and quantised models have none"


class Parameter(NamedTuple):
    """One tensor of weights: its name, its shape, and where it lies in the vector of all."""

    name: str
    shape: tuple[int, ...]
    start: int
    stop: int


class Parameters:
    """A model seen as a function of its weights."""

    def __init__(self, model: Model, names: Sequence[str] | None = None, *, double: bool = False) -> None:
        """Choose the weights.

        Args:
            model: the model.
            names: tensors of weights; all that were learned, as far as the graph tells, by default.
            double: compute in float64.

        Raises:
            UsageError: torch is not installed, or there are no such weights.
            ModelError: the model has none, or an operator has no gradient.
        """
        from agnostic.converters.torch_import.weights import weights

        self.model = model
        self.module = (model.autograd.doubled if double else model.autograd).module
        self._learned = weights(self.module.graph)
        if not self._learned:
            raise ModelError(f"{model.name}: {NO_WEIGHTS}")
        stray = next((name for name in names or () if name not in self._learned), None)
        if stray is not None:
            raise unknown("weights", stray, self._learned)
        self.names = tuple(dict.fromkeys(names)) if names else self._learned

    @cached_property
    def table(self) -> tuple[Parameter, ...]:
        """The chosen tensors and where they lie."""
        found, start = [], 0
        for name in self.names:
            held = self.module.graph.constants[name]
            found.append(Parameter(name, tuple(held.shape), start, start + held.numel()))
            start += held.numel()
        return tuple(found)

    @property
    def size(self) -> int:
        """P, how many numbers there are."""
        return self.table[-1].stop

    @property
    def values(self) -> Floats:
        """The weights themselves: (P,)."""
        return self._flat([self.module.graph.constants[name] for name in self.names])

    @cached_property
    def decayed(self) -> npt.NDArray[np.bool_]:
        """Which numbers belong to tensors of two axes or more, not to biases and scales: (P,)."""
        mask = np.zeros(self.size, bool)
        for item in self.table:
            mask[item.start : item.stop] = len(item.shape) > 1
        return mask

    def losses(self, feeds: Mapping[str, Array], labels: Ints) -> Floats:
        """The cross-entropy of each row: (b,)."""
        with torch_errors():
            return self._number(self._losses(feeds, labels, self._leaves()))

    def loss_gradient(self, feeds: Mapping[str, Array], labels: Ints) -> Floats:
        """The gradient of the sum of the rows' losses: (P,)."""
        return self._gradient(lambda leaves: self._losses(feeds, labels, leaves))

    def target_gradient(self, feeds: Mapping[str, Array], target: Target) -> Floats:
        """The gradient of the sum of a target over the rows: (P,), zeros where no weight reaches it.

        Raises:
            ModelError: none of the chosen weights reaches the target.
        """

        def score(leaves: Mapping[str, "Tensor"]) -> "Tensor":
            return read_target(target, self.module.run(self._fed(feeds), list(target.tensors), leaves))

        return self._gradient(score, target.name)

    def row_dots(self, feeds: Mapping[str, Array], labels: Ints, directions: Floats) -> Floats:
        """How much each row's loss rises along each direction: (b, k) for (k, P) directions.

        A row's own gradient is never made: the sum of all, with a weight on each row, is differentiated by the weights.
        """
        import torch

        with torch.enable_grad(), torch_errors():
            leaves = self._leaves()
            losses = self._losses(feeds, labels, leaves)
            share = torch.ones_like(losses, requires_grad=True)
            gradients = self._grad((losses * share).sum(), list(leaves.values()), create=True)
            found = [
                torch.autograd.grad(self._dot(gradients, direction), share, retain_graph=True)[0]
                for direction in np.atleast_2d(directions)
            ]
            return np.stack([self._number(item) for item in found], axis=1)

    def row_gradients(self, feeds: Mapping[str, Array], labels: Ints) -> Floats:
        """Each row's gradient of its loss: (b, P)."""
        import torch

        with torch.enable_grad(), torch_errors():
            leaves = self._leaves()
            losses = self._losses(feeds, labels, leaves)
            rows = [self._grad(loss, list(leaves.values()), keep=True) for loss in losses]
            return np.stack([self._flat(row) for row in rows])

    def product(
        self, feeds: Mapping[str, Array], labels: Ints, vector: Floats, curvature: Curvature = "gauss-newton"
    ) -> Floats:
        """The second derivative of the sum of the rows' losses times a vector: (P,)."""
        by = self._hessian_product if curvature == "hessian" else self._gauss_newton_product
        import torch

        with torch.enable_grad(), torch_errors():
            return self._flat(by(feeds, labels, vector))

    def _hessian_product(self, feeds: Mapping[str, Array], labels: Ints, vector: Floats) -> list["Tensor"]:
        leaves = self._leaves()
        gradients = self._grad(self._losses(feeds, labels, leaves).sum(), list(leaves.values()), create=True)
        return self._grad(self._dot(gradients, vector), list(leaves.values()))

    def _gauss_newton_product(self, feeds: Mapping[str, Array], labels: Ints, vector: Floats) -> list["Tensor"]:
        """J^T H J v: forward through the scores, their own second derivative, and back."""
        import torch

        leaves = self._leaves()
        scores = self.scores_under(feeds, leaves)
        probe = torch.zeros_like(scores, requires_grad=True)
        back = self._grad((scores * probe).sum(), list(leaves.values()), create=True)
        (moved,) = torch.autograd.grad(self._dot(back, vector), probe, retain_graph=True)
        chances = scores.detach().softmax(dim=1)
        bent = chances * (moved - (chances * moved).sum(dim=1, keepdim=True))
        return self._grad((scores * bent).sum(), list(leaves.values()))

    def _gradient(self, function: Callable[[Mapping[str, "Tensor"]], "Tensor"], target: str = "") -> Floats:
        import torch

        with torch.enable_grad(), torch_errors():
            leaves = self._leaves()
            score = function(leaves).sum()
            if not score.requires_grad:
                raise ModelError(f"none of the chosen weights reaches {target!r}; choose others, or all")
            return self._flat(self._grad(score, list(leaves.values())))

    def _leaves(self) -> dict[str, "Tensor"]:
        held = self.module.graph.constants
        return {name: held[name].detach().requires_grad_() for name in self.names}

    def _fed(self, feeds: Mapping[str, Array]) -> dict[str, "Tensor"]:
        import torch

        device = self.module.graph.constants[self.names[0]].device
        return {name: torch.from_numpy(np.array(value)).to(device) for name, value in feeds.items()}

    def scores_under(
        self, feeds: Mapping[str, Array], replace: Mapping[str, "Tensor | Callable[[Tensor], Tensor]"]
    ) -> "Tensor":
        """The class scores, with tensors replaced or looked at: (b, classes); a single one becomes two."""
        import torch

        name = self.model.scores_tensor
        scores: Tensor = self.module.run(self._fed(feeds), [name], replace)[name]
        if scores.ndim == 1 or scores.shape[1:] == (1,):
            column = scores.reshape(-1, 1)
            return torch.cat([torch.zeros_like(column), column], dim=1)
        if scores.ndim != 2:
            raise ModelError(f"{self.model.name}: its scores have {scores.ndim} axes; expected one row a sample")
        return scores

    def _losses(self, feeds: Mapping[str, Array], labels: Ints, leaves: Mapping[str, "Tensor"]) -> "Tensor":
        import torch

        scores = self.scores_under(feeds, leaves)
        given = torch.from_numpy(np.array(labels)).to(scores.device)
        return torch.nn.functional.cross_entropy(scores, given, reduction="none")

    def _grad(
        self, score: "Tensor", leaves: Sequence["Tensor"], *, create: bool = False, keep: bool = False
    ) -> list["Tensor"]:
        import torch

        found = torch.autograd.grad(score, leaves, create_graph=create, retain_graph=create or keep, allow_unused=True)
        return [torch.zeros_like(leaf) if item is None else item for leaf, item in zip(leaves, found, strict=True)]

    def _dot(self, tensors: Sequence["Tensor"], vector: Floats) -> "Tensor":
        import torch

        parts = [
            (tensor * torch.from_numpy(np.array(vector[item.start : item.stop])).to(tensor).reshape(item.shape)).sum()
            for tensor, item in zip(tensors, self.table, strict=True)
        ]
        return sum(parts[1:], parts[0])

    def _flat(self, tensors: Sequence["Tensor"]) -> Floats:
        return np.concatenate([self._number(tensor).reshape(-1) for tensor in tensors])

    @staticmethod
    def _number(tensor: "Tensor") -> Floats:
        numbers: Floats = tensor.detach().cpu().double().numpy()
        return numbers

"""What onnxruntime says of rendered pictures, at the size they were rendered in wherever the graph runs at it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.sizes import free_sides
from agnostic.converters.surgery import expose
from agnostic.converters.twins import preactivation_parts
from agnostic.engine.batching import BatchRunner
from agnostic.engine.gradients import Parity, certified
from agnostic.engine.runtime import as_dtype
from agnostic.engine.target import Array, Floats, Projection, Target, Term
from agnostic.errors import AgnosticError, LimitError
from agnostic.optvis.draws import MEASURES, Draws
from agnostic.optvis.lens import Lens
from agnostic.optvis.rendering import Pictures
from agnostic.optvis.transforms import crop_or_pad_to

_AXES = {"NCHW": (2, 3), "NHWC": (1, 2), "NHW": (1, 2)}
_GREY = 0.5


class Scorer:
    """Runs a model on pictures in 0..1; sessions are kept for one set of tensors at a time."""

    def __init__(self, lens: Lens) -> None:
        """Take the model that a lens looks at."""
        self.lens, self.model, self.space = lens, lens.model, lens.space
        self._free: tuple[tuple[str, ...], BatchRunner] | None = None
        self._fixed: set[tuple[tuple[str, ...], int, int]] = set()

    def tensors(self, pictures: Pictures, names: Sequence[str]) -> dict[str, Array]:
        """Fetch tensors on pictures (n, h, w, c) in 0..1, each (n, ...).

        A graph that takes one size only is shown them cut or padded to it, as it was while they were rendered.
        """
        wanted, size = tuple(dict.fromkeys(names)), (pictures.shape[1], pictures.shape[2])
        if size != self.space.size and (wanted, *size) not in self._fixed:
            try:
                return self._runner(wanted).run({self.space.tensor: self._rows(pictures)}, wanted)
            except LimitError:
                raise
            except AgnosticError:
                self._fixed.add((wanted, *size))
        shown = crop_or_pad_to(*self.space.size)(self._planes(pictures), Draws(0, (), MEASURES))
        return self.model.run({self.space.tensor: self._rows(pixels(shown))}, wanted)

    def scores(self, pictures: Pictures, targets: Sequence[Target], *, before: bool = False) -> Floats:
        """Read targets off pictures: (n, targets); `before` their activation function."""
        values = self.tensors(pictures, [name for target in targets for name in self.parts(target, before)])
        return np.stack([self._read(values, target, before) for target in targets], axis=1)

    def peaks(self, pictures: Pictures, target: Target) -> Floats:
        """Give the largest value that any unit of a target has at any position: (n,)."""
        values = self.tensors(pictures, self.parts(target))
        every = [values[term.tensor][_whole(term)] for term in target.entries]
        found: Floats = np.max([item.reshape(len(pictures), -1).max(axis=1) for item in every], axis=0)
        return found.astype(np.float64)

    def parts(self, target: Target, before: bool = False) -> list[str]:
        """Name the tensors that a target is read off."""
        return [name for term in target.entries for name in self._joined(term.tensor, before)[0]]

    def parity(self, targets: Sequence[Target], seed: int) -> Parity:
        """Compare the re-import with onnxruntime on a random picture of the model's own size.

        Raises:
            ModelError: it is not the same model.
        """
        noise = Draws(seed, (0,), MEASURES).uniform(0, 1, self.space.channels, *self.space.size)
        return certified(self.model, self.model.feeds({self.space.tensor: self._rows(pixels(noise))}), targets)

    def _read(self, values: Mapping[str, Array], target: Target, before: bool) -> Floats:
        total: Floats = np.sum([self._term(values, term, before) for term in target.entries], axis=0)
        return total

    def _term(self, values: Mapping[str, Array], term: Term | Projection, before: bool) -> Floats:
        names, axis = self._joined(term.tensor, before)
        held = np.concatenate([values[name] for name in names], axis) if len(names) > 1 else values[names[0]]
        found: Floats = term.of(held)
        return found

    def _joined(self, tensor: str, before: bool) -> tuple[tuple[str, ...], int]:
        return preactivation_parts(self.model.proto, tensor) if before else ((tensor,), 1)

    def _planes(self, pictures: Pictures) -> Tensor:
        """View pictures as (n, c, h, w), what is transparent laid on grey."""
        planes = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, 1)))
        if planes.shape[1] == self.space.channels + 1:
            return planes[:, -1:] * (planes[:, :-1] - _GREY) + _GREY
        return planes

    def _rows(self, pictures: Pictures) -> Array:
        tensor = next(item for item in self.model.inputs if item.name == self.space.tensor)
        return as_dtype(self.space.to_model(self._planes(pictures)).contiguous().numpy(), tensor.dtype)

    def _runner(self, names: tuple[str, ...]) -> BatchRunner:
        if self._free is None or self._free[0] != names:
            part = expose(self.model.proto, names, only=True)
            freed = free_sides(part, self.space.tensor, _AXES[self.space.layout])
            self._free = names, BatchRunner(freed, self.model.device)
        return self._free[1]


def _whole(term: Term | Projection) -> tuple[Any, ...]:
    """Pick what a term reads, every position of it: (n, ...)."""
    index = () if isinstance(term, Projection) else term.index
    return (slice(None), *(slice(None) if item is None else item for item in index))


def pixels(planes: Tensor) -> Pictures:
    """Turn (n, c, h, w) into (n, h, w, c) float32."""
    return np.ascontiguousarray(planes.movedim(1, -1).numpy())

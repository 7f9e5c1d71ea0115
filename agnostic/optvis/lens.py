"""How a model sees pictures: pictures in 0..1 go in, activations with gradients come out, under their layers' names.

``Seen`` is what objectives are functions of; Lucid calls it T. It gives every layer as (n, C, h, w), whatever the model
keeps it as, and by default *before* its activation function, since a unit that is off has no gradient behind it:
``T(layer)``. ``T.activated(layer)`` is the layer itself, for what is about all of it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.layers import Layer
from agnostic.converters.tokens import TokenGrid, token_grid
from agnostic.converters.torch_import.step import Rule
from agnostic.converters.twins import preactivation_parts
from agnostic.engine.autograd import torch_errors
from agnostic.engine.model import Model
from agnostic.engine.target import Term
from agnostic.errors import AgnosticError, InputError, UsageError, unknown
from agnostic.optvis.space import INSTEAD, space_of


class Lens:
    """A model behind which pictures are differentiated."""

    def __init__(
        self, model: Model, *, pre_activation: bool = True, value_range: tuple[float, float] | None = None
    ) -> None:
        """Look through a model.

        Args:
            model: the model; its torch re-import is built on first use.
            pre_activation: give layers before their activation function.
            value_range: see `space_of`.

        Raises:
            UsageError: torch is not installed.
            ModelError: the model has no gradient; why is said.
            InputError: it has no picture input.
        """
        self.model, self.pre_activation = model, pre_activation
        self.space = space_of(model, value_range)
        self.module = model.autograd.module
        self._parts: dict[tuple[str, bool], tuple[tuple[str, ...], int]] = {}
        self._accepted: dict[tuple[str, int, int], bool] = {}
        self._grids: dict[tuple[str, int, tuple[int, int]], TokenGrid | None] = {}
        self._classes: dict[str | int, int] = {}

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """The model's layers by name."""
        return {layer.name: layer for layer in self.model.layers}

    @cached_property
    def _others(self) -> dict[str, Tensor]:
        if len(self.model.inputs) > 1:
            names = ", ".join(item.name for item in self.model.inputs if item.name != self.space.tensor)
            raise InputError(f"the model has other inputs beside the picture ({names}); {INSTEAD}")
        return {}

    def run(self, pictures: Tensor, tensors: Sequence[str], rules: Mapping[str, Rule] | None = None) -> dict[str, Any]:
        """Compute tensors of the graph on pictures (n, c, h, w) in 0..1, as the model keeps them."""
        # Convolutions and pools are faster with channels last, and hand that layout on.
        laid = pictures.contiguous(memory_format=torch.channels_last)
        feeds = {**self._others, self.space.tensor: self.space.to_model(laid)}
        with torch_errors():
            return self.module.run(feeds, tensors, None, rules)

    def accepts(self, height: int, width: int, layer: str) -> bool:
        """Tell whether the model, as far as a layer, takes pictures of this size, whatever size it declares."""
        key = (layer, height, width)
        if key not in self._accepted:
            try:
                with torch.no_grad():
                    self.read(layer, torch.full((1, self.space.channels, height, width), 0.5))
                self._accepted[key] = True
            except AgnosticError:
                self._accepted[key] = False
        return self._accepted[key]

    def read(self, layer: str, pictures: Tensor, *, activated: bool = False) -> Tensor:
        """Give a layer on pictures in 0..1, before its activation function or, if asked, behind it: (n, C, h, w)."""
        seen = Seen(self, pictures, pictures)
        return seen.activated(layer) if activated else seen(layer)

    def class_number(self, label: str | int) -> int:
        """Look a class up by its name or number.

        Raises:
            UsageError: the model has no such class; the nearest names are offered.
        """
        if label not in self._classes:
            terms = self.model.target(label).terms
            term = terms[0]
            is_score = isinstance(term, Term) and term.tensor == self.model.scores_tensor
            at = term.index[self.model.names.class_axis] if is_score and isinstance(term, Term) else None
            if len(terms) != 1 or at is None:
                raise UsageError(f"{label!r} is no class; give one by name or number")
            self._classes[label] = at
        return self._classes[label]

    def tensors_of(self, layer: str, *, activated: bool = False) -> tuple[tuple[str, ...], int]:
        """Name the tensors that make up a layer, and the axis along which they are joined.

        Args:
            layer: a layer, an output, or the class scores.
            activated: behind its activation function.

        Raises:
            UsageError: the model has no such layer or output; the nearest names are offered.
        """
        key = (layer, activated)
        if key not in self._parts:
            ends = {item.name for item in self.model.outputs} | {self.model.scores_tensor}
            if layer not in self.layers and layer not in ends:
                raise unknown("layer", layer, [*self.layers, *sorted(ends)])
            as_it_is = activated or not self.pre_activation or (self.model.raw_output and layer in ends)
            self._parts[key] = ((layer,), 1) if as_it_is else preactivation_parts(self.model.proto, layer)
        return self._parts[key]

    def as_maps(self, layer: str, stored: Tensor, picture: tuple[int, int]) -> Tensor:
        """View what a layer holds, (n, ...) in its own axis order, as (n, C, h, w).

        Tokens become the grid of the picture they were cut from, without the class token; a vector has h = w = 1.
        """
        found = self.layers.get(layer)
        if stored.ndim < 3:
            return stored.reshape(len(stored), -1, 1, 1)
        if found is None:
            return _map(stored, self.model.names.class_axis + 1 if layer == self.model.scores_tensor else 1)
        return self._grid(layer, stored, picture) if found.kind == "tokens" else _map(stored, found.channel_axis)

    def _grid(self, layer: str, stored: Tensor, picture: tuple[int, int]) -> Tensor:
        grid = self._grid_of(layer, stored.shape[1], picture)
        if grid is None:  # tokens that are no places stand in a row
            return stored.movedim(-1, 1)[..., None]
        places = stored[:, grid.places].movedim(-1, 1)
        return places.reshape(*places.shape[:2], grid.height, grid.width)

    def _grid_of(self, layer: str, tokens: int, picture: tuple[int, int]) -> TokenGrid | None:
        key = (layer, tokens, picture)
        if key not in self._grids:
            try:
                self._grids[key] = token_grid(self.model.proto, layer, tokens, picture)
            except UsageError:
                self._grids[key] = None
        return self._grids[key]


def _map(stored: Tensor, channel_axis: int) -> Tensor:
    moved = stored.movedim(channel_axis, 1)
    return moved if moved.ndim == 4 else moved.flatten(2)[..., None]


class Seen:
    """What a model sees of some pictures; objectives are functions of it.

    ``T(layer)`` is (n, C, h, w) before the activation function, ``T.activated(layer)`` behind it; ``T("input")`` are
    the pictures as they are, not transformed, (n, c, h, w) in 0..1, with opacity as their last channel where they have
    it; ``T("labels")`` are the class scores. What a layer is asked for is computed then, with all that was asked for
    before in one go.

    Attributes:
        lens: what is looked through.
        pictures: (n, c, h, w) in 0..1 as they are.
        shown: the same as the model is shown them: transformed.
        numbers: (n,) the number of each picture among all that are rendered.
        count: how many are rendered in all.
        wanted: tensors that are computed together, in order; grows as layers are asked for.
        alpha: (n, 1, h, w) opacity of the pictures; None where they are opaque.
        memory: what objectives keep from step to step, under keys of their own; what is about one picture is kept
            under its number.
    """

    def __init__(
        self,
        lens: Lens,
        pictures: Tensor,
        shown: Tensor,
        *,
        numbers: Sequence[int] | None = None,
        count: int | None = None,
        wanted: dict[str, None] | None = None,
        rules: Mapping[str, Rule] | None = None,
        alpha: Tensor | None = None,
        memory: dict[Any, Any] | None = None,
        shake: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Look at pictures; nothing is computed yet.

        `shake` transforms as many other pictures just as these were.
        """
        self.lens, self.pictures, self.shown, self.alpha = lens, pictures, shown, alpha
        self.numbers = tuple(range(len(pictures)) if numbers is None else numbers)
        self.count = len(self.numbers) if count is None else count
        self.wanted = {} if wanted is None else wanted
        self.memory = {} if memory is None else memory
        self.rules = rules
        self._shake = shake
        self._values: dict[str, Tensor] = {}
        self._rows: dict[str, tuple[Tensor, ...]] = {}
        self._beside: dict[int, Seen] = {}

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.pictures)

    def __call__(self, layer: str) -> Tensor:
        """Give a layer before its activation function, or as it is where the lens says so: (n, C, h, w)."""
        return self._maps(layer, activated=False)

    def activated(self, layer: str) -> Tensor:
        """Give a layer as it is: (n, C, h, w)."""
        return self._maps(layer, activated=True)

    def _maps(self, layer: str, *, activated: bool) -> Tensor:
        if layer == "input":
            return self.pictures
        name = self.lens.model.scores_tensor if layer == "labels" else layer
        height, width = self.shown.shape[2:]
        return self.lens.as_maps(name, self.whole(name, activated=activated), (height, width))

    def whole(self, layer: str, *, activated: bool = False) -> Tensor:
        """Give a layer as the model keeps it: (n, ...)."""
        names, axis = self.lens.tensors_of(layer, activated=activated)
        self._compute(names)
        parts = [self._values[name] for name in names]
        return torch.cat(parts, dim=axis) if len(parts) > 1 else parts[0]

    def stored(self, tensor: str) -> Tensor:
        """Give any tensor of the graph as the model keeps it: (n, ...)."""
        self._compute((tensor,))
        return self._values[tensor]

    def only(self, row: int) -> "Seen":
        """See one of the pictures; what was computed for all is shared."""
        return _One(self, row)

    def row(self, tensor: str, row: int) -> Tensor:
        """Give one row of any tensor of the graph: (1, ...)."""
        if tensor not in self._rows:
            # Cut once: the gradient of n cuts is one join, that of n selections n tensors of full size.
            self._rows[tensor] = torch.split(self.stored(tensor), 1)
        return self._rows[tensor][row]

    def beside(self, picture: Tensor) -> "Seen":
        """See another picture, shaken just as each of these was; it gets no gradient.

        Args:
            picture: (1, c, h, w) in 0..1, resized to these; the same tensor at each step, so that it is seen once.

        Raises:
            UsageError: it has other channels than the model's pictures.
        """
        if id(picture) not in self._beside:
            wanted, _ = self.memory.setdefault(("beside", id(picture)), ({}, picture))
            with torch.no_grad():
                as_here = self._fitted(picture)
                shown = as_here if self._shake is None else self._shake(as_here)
            self._beside[id(picture)] = _Still(self.lens, as_here, shown, numbers=self.numbers, wanted=wanted)
        return self._beside[id(picture)]

    def _fitted(self, picture: Tensor) -> Tensor:
        if picture.shape[1] != self.lens.space.channels:
            raise UsageError(
                f"the given picture has {picture.shape[1]} channels, the model's have {self.lens.space.channels}"
            )
        size = self.pictures.shape[2:]
        if picture.shape[2:] != size:
            picture = F.interpolate(picture, tuple(size), mode="bilinear", antialias=True)
        return picture.to(self.pictures).expand(len(self), -1, -1, -1)

    def _compute(self, names: Sequence[str]) -> None:
        if missing := [name for name in names if name not in self._values]:
            self.wanted.update(dict.fromkeys(missing))
            tensors = [name for name in self.wanted if name not in self._values]
            self._values.update(self.lens.run(self.shown, tensors, self.rules))


class _Still(Seen):
    """Pictures that are not optimised."""

    def _compute(self, names: Sequence[str]) -> None:
        with torch.no_grad():
            super()._compute(names)


class _One(Seen):
    """One picture of what is seen."""

    def __init__(self, whole: Seen, row: int) -> None:
        here = slice(row, row + 1)
        alpha = None if whole.alpha is None else whole.alpha[here]
        super().__init__(
            whole.lens, whole.pictures[here], whole.shown[here], numbers=whole.numbers[here], count=whole.count,
            alpha=alpha, memory=whole.memory, shake=self._shake_alone,
        )  # fmt: skip
        self._whole, self._row = whole, row

    def _compute(self, names: Sequence[str]) -> None:
        self._whole._compute(names)
        self._values.update({name: self._whole.row(name, self._row) for name in names})

    def _shake_alone(self, picture: Tensor) -> Tensor:
        """Shake it as all pictures are, since draws are of all; keep what happened to this one."""
        shake = self._whole._shake
        return picture if shake is None else shake(picture.expand(len(self._whole), -1, -1, -1))[self._row :][:1]

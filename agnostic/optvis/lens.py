"""How a model sees pictures: pictures in 0..1 go in, activations with gradients come out, under their layers' names.

``Seen`` is what objectives are functions of; Lucid calls it T. It gives every layer as (n, C, h, w), whatever the model
keeps it as, and by default *before* its activation function, since a unit that is off has no gradient behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.layers import Layer
from agnostic.converters.tokens import token_grid
from agnostic.converters.torch_import.step import Rule
from agnostic.converters.twins import preactivation_parts
from agnostic.engine.autograd import torch_errors
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.engine.signature import Tensor as Input
from agnostic.errors import AgnosticError, InputError, UsageError
from agnostic.inputs.image import declared_or_assumed, picture_input

_PICTURE_DEPTHS = (1, 3, 4)
INSTEAD = "such a model is explained with `agnostic explain`, which needs no picture"


@dataclass(frozen=True)
class Space:
    """What a model's picture input holds, and the way there from pictures (n, c, h, w) in 0..1.

    Attributes:
        tensor: the input's name.
        channels: of a picture.
        size: height and width that the input declares, or the preprocessing does.
        layout: NCHW, NHWC or NHW.
        scale, shift: per channel, in the model's order: x = scale * picture + shift.
        reverse: whether the model takes BGR.
        notes: what had to be assumed.
    """

    tensor: str
    channels: int
    size: tuple[int, int]
    layout: str
    scale: tuple[float, ...]
    shift: tuple[float, ...]
    reverse: bool
    notes: tuple[str, ...] = ()

    def to_model(self, pictures: Tensor) -> Tensor:
        """Turn pictures (n, c, h, w) in 0..1 into what the model eats."""
        ordered = pictures.flip(1) if self.reverse else pictures
        scale, shift = (torch.tensor(values).view(1, -1, 1, 1).to(pictures) for values in (self.scale, self.shift))
        values = ordered * scale + shift
        if self.layout == "NHW":
            return values[:, 0]
        return values if self.layout == "NCHW" else values.movedim(1, -1)


def space_of(model: Model, value_range: tuple[float, float] | None = None) -> Space:
    """Find the picture input of a model and what its numbers mean.

    Args:
        model: the model.
        value_range: what 0 and 1 of a picture become; only for inputs that are no grey, RGB or RGBA pictures.

    Raises:
        InputError: the model has no input with the axes of a picture.
    """
    bands = _bands(model)
    if bands is not None:
        return _plain_space(*bands, value_range)
    try:
        tensor = picture_input(model)
        declared, notes = declared_or_assumed(model, tensor)
    except InputError as error:
        raise InputError(f"nothing to draw: {error}; {INSTEAD}") from error
    return _declared_space(tensor.name, declared, notes)


def _declared_space(name: str, declared: Preprocess, notes: tuple[str, ...]) -> Space:
    mean, std = (np.broadcast_to(np.asarray(v, np.float64), declared.depth) for v in (declared.mean, declared.std))
    scale = tuple((255.0 * declared.scale / std).tolist())
    shift = tuple((-mean / std).tolist())
    reverse = declared.channels == "BGR"
    return Space(name, declared.depth, declared.size, declared.layout, scale, shift, reverse, notes)


def _bands(model: Model) -> tuple[Input, int, str] | None:
    """Find an input (n, bands, h, w) or (n, h, w, bands) whose bands are not those of a picture."""
    if model.preprocess is not None:
        return None
    for tensor in model.inputs:
        fixed = [size if isinstance(size, int) else None for size in tensor.shape]
        if len(fixed) != 4 or any(fixed[axis] in _PICTURE_DEPTHS for axis in (1, 3)) or tensor.is_integer:
            continue
        if fixed[1] is not None and (fixed[3] is None or fixed[3] >= fixed[1]):
            return tensor, fixed[1], "NCHW"
        if fixed[3] is not None:
            return tensor, fixed[3], "NHWC"
    return None


def _plain_space(tensor: Input, bands: int, layout: str, value_range: tuple[float, float] | None) -> Space:
    low, high = value_range or (0.0, 1.0)
    if not np.isfinite([low, high]).all() or low >= high:
        raise UsageError(f"value range {low:g},{high:g}: expected two numbers, the smaller one first")
    note = f"the input has {bands} channels and declares no range; assumed 0..1: give --range LOW,HIGH"
    spatial = tensor.shape[2:4] if layout == "NCHW" else tensor.shape[1:3]
    height, width = (size if isinstance(size, int) and size > 0 else 224 for size in spatial)
    scale, shift = (high - low,) * bands, (low,) * bands
    return Space(tensor.name, bands, (height, width), layout, scale, shift, False, () if value_range else (note,))


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
        self._parts: dict[str, tuple[tuple[str, ...], int]] = {}
        self._accepted: dict[tuple[str, int, int], bool] = {}

    @cached_property
    def _others(self) -> dict[str, Tensor]:
        if len(self.model.inputs) > 1:
            names = ", ".join(item.name for item in self.model.inputs if item.name != self.space.tensor)
            raise InputError(f"the model has other inputs beside the picture ({names}); {INSTEAD}")
        return {}

    def run(self, pictures: Tensor, tensors: Sequence[str], rules: Mapping[str, Rule] | None = None) -> dict[str, Any]:
        """Compute tensors of the graph on pictures (n, c, h, w) in 0..1, as the model keeps them."""
        feeds = {**self._others, self.space.tensor: self.space.to_model(pictures)}
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

    def read(self, layer: str, pictures: Tensor) -> Tensor:
        """Give a layer on pictures in 0..1: (n, C, h, w)."""
        return Seen(self, pictures, pictures)(layer)

    def tensors_of(self, layer: str) -> tuple[tuple[str, ...], int]:
        """Name the tensors that make up a layer, and the axis along which they are joined.

        Raises:
            UsageError: the model has no such layer or output; the nearest names are offered.
        """
        if layer not in self._parts:
            known = {item.name for item in self.model.layers}
            if layer not in known | {item.name for item in self.model.outputs} | {self.model.scores_tensor}:
                self.model.layer(layer)
            whole = ((layer,), 1)
            self._parts[layer] = preactivation_parts(self.model.proto, layer) if self.pre_activation else whole
        return self._parts[layer]

    def as_maps(self, layer: str, stored: Tensor, picture: tuple[int, int]) -> Tensor:
        """View what a layer holds, (n, ...) in its own axis order, as (n, C, h, w).

        Tokens become the grid of the picture they were cut from, without the class token; a vector has h = w = 1.
        """
        found = next((item for item in self.model.layers if item.name == layer), None)
        if stored.ndim < 2:
            return stored.reshape(-1, 1, 1, 1)
        if found is None or found.kind == "vector":
            return stored.reshape(len(stored), stored.shape[1], -1, 1) if stored.ndim > 2 else stored[:, :, None, None]
        return self._grid(found, stored, picture) if found.kind == "tokens" else _map(stored, found.channel_axis)

    def _grid(self, layer: Layer, stored: Tensor, picture: tuple[int, int]) -> Tensor:
        try:
            grid = token_grid(self.model.proto, layer.name, stored.shape[1], picture)
        except UsageError:  # tokens that are no places stand in a row
            return stored.movedim(-1, 1)[..., None]
        places = stored[:, grid.places].movedim(-1, 1)
        return places.reshape(*places.shape[:2], grid.height, grid.width)


def _map(stored: Tensor, channel_axis: int) -> Tensor:
    moved = stored.movedim(channel_axis, 1)
    return moved if moved.ndim == 4 else moved.flatten(2)[..., None]


class Seen:
    """What a model sees of some pictures; objectives are functions of it.

    ``T(layer)`` is (n, C, h, w); ``T("input")`` are the pictures as they are, not transformed, (n, c, h, w) in 0..1;
    ``T("labels")`` are the class scores. What a layer is asked for is computed then, with all that was asked for before
    in one go.

    Attributes:
        lens: what is looked through.
        pictures: (n, c, h, w) in 0..1 as they are.
        shown: the same as the model is shown them: transformed.
        numbers: (n,) the number of each picture among all that are rendered.
        count: how many are rendered in all.
        wanted: tensors that are computed together, in order; grows as layers are asked for.
        alpha: (n, 1, h, w) opacity of the pictures; None where they are opaque.
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
    ) -> None:
        """Look at pictures; nothing is computed yet."""
        self.lens, self.pictures, self.shown, self.alpha = lens, pictures, shown, alpha
        self.numbers = tuple(range(len(pictures)) if numbers is None else numbers)
        self.count = len(self.numbers) if count is None else count
        self.wanted = {} if wanted is None else wanted
        self.rules = rules
        self._values: dict[str, Tensor] = {}
        self._rows: dict[str, tuple[Tensor, ...]] = {}

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self.pictures)

    def __call__(self, layer: str) -> Tensor:
        """Give a layer: (n, C, h, w)."""
        if layer == "input":
            return self.pictures
        if layer == "labels":
            layer = self.lens.model.scores_tensor
        names, axis = self.lens.tensors_of(layer)
        self._compute(names)
        parts = [self._values[name] for name in names]
        stored = torch.cat(parts, dim=axis) if len(parts) > 1 else parts[0]
        height, width = self.shown.shape[2:]
        return self.lens.as_maps(layer, stored, (height, width))

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

    def _compute(self, names: Sequence[str]) -> None:
        if missing := [name for name in names if name not in self._values]:
            self.wanted.update(dict.fromkeys(missing))
            tensors = [name for name in self.wanted if name not in self._values]
            self._values.update(self.lens.run(self.shown, tensors, self.rules))


class _One(Seen):
    """One picture of what is seen."""

    def __init__(self, whole: Seen, row: int) -> None:
        here = slice(row, row + 1)
        alpha = None if whole.alpha is None else whole.alpha[here]
        super().__init__(
            whole.lens, whole.pictures[here], whole.shown[here], numbers=whole.numbers[here], count=whole.count,
            alpha=alpha,
        )  # fmt: skip
        self._whole, self._row = whole, row

    def stored(self, tensor: str) -> Tensor:
        """Give its row of any tensor."""
        return self._whole.row(tensor, self._row)

    def _compute(self, names: Sequence[str]) -> None:
        self._whole._compute(names)
        self._values.update({name: self._whole.row(name, self._row) for name in names})

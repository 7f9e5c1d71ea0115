"""What the numbers of a model's picture input are: from pictures in 0..1 to what it eats."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.engine.signature import Tensor as Input
from agnostic.errors import InputError, UsageError
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

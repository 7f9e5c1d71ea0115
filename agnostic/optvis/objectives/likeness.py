"""Objectives that liken a picture to a given one: in its pixels, in what a layer makes of it, or in style."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Function, objective
from agnostic.optvis.objectives.directions import dot_cossim
from agnostic.optvis.objectives.picking import given_array

Norm = Literal["l1", "l2"]
# A layer that is silent on the given picture has no energy to compare with.
_LEAST_ENERGY = 1e-12


@objective
def input_diff(picture: npt.ArrayLike) -> Function:
    """Measure how far a picture is from a given one: the root of the mean squared difference.

    Args:
        picture: (h, w, c) in 0..1.
    """
    given = _as_picture(picture)

    def function(seen: Seen) -> Tensor:
        pictures = seen.pictures[:, : given.shape[1]]
        if given.shape[1:] != pictures.shape[1:]:
            raise UsageError(
                f"the given picture is {_size(given)}, the drawn ones are {_size(pictures)}: give one size"
            )
        # A norm, whose derivative is 0 where the pictures are the same.
        difference = (pictures - given.to(pictures)).flatten(1)
        distance: Tensor = torch.linalg.vector_norm(difference, dim=1) / math.sqrt(difference.shape[1])
        return distance

    return function


@objective
def dot_compare(layer: str, activations: npt.ArrayLike, cossim_pow: float = 0.0) -> Function:
    """Bring a layer towards given activations, all positions as one long direction: feature inversion.

    Args:
        layer: the layer.
        activations: (C, h, w), as `Lens.read` gives them; resized where the picture's own map has another size.
        cossim_pow: how much pointing into the direction counts beside going far; 0 for not at all.
    """
    given = given_array("the activations", activations, ["(C, h, w)"])

    def function(seen: Seen) -> Tensor:
        maps = seen.activated(layer)
        if len(given) != maps.shape[1]:
            raise UsageError(f"{layer!r} has {maps.shape[1]} units, the activations are of {len(given)}")
        return _alike(maps, _resized(given.to(maps)[None], maps), cossim_pow)

    return function


@objective
def caricature(layer: str, picture: npt.ArrayLike, cossim_pow: float = 0.0) -> Function:
    """Draw what a layer sees in a given picture, exaggerated (Olah et al. 2018).

    The picture is shaken together with the drawn one, and the layer's activations of the two are compared.

    Args:
        layer: the layer.
        picture: (h, w, c) in 0..1; resized to the size that is drawn.
        cossim_pow: how much being alike counts beside going far; 0 for not at all.
    """
    given = _as_picture(picture)

    def function(seen: Seen) -> Tensor:
        return _alike(seen.activated(layer), seen.beside(given).activated(layer), cossim_pow)

    return function


@objective
def activation_diff(layer: str, picture: npt.ArrayLike) -> Function:
    """Measure how far a layer is from what it makes of a given picture: the share of its energy that is missing or new.

    It is 0 where the activations are the same, and 1 for a layer that is silent (Mahendran & Vedaldi 2015). The picture
    is shaken together with the drawn one.

    Args:
        layer: the layer.
        picture: (h, w, c) in 0..1; resized to the size that is drawn.
    """
    given = _as_picture(picture)

    def function(seen: Seen) -> Tensor:
        wanted = seen.beside(given).activated(layer)
        difference = (seen.activated(layer) - wanted).square().flatten(1).sum(dim=1)
        energy = wanted.square().flatten(1).sum(dim=1)
        return difference / energy.clamp(min=_LEAST_ENERGY)

    return function


def _alike(maps: Tensor, given: Tensor, cossim_pow: float) -> Tensor:
    return dot_cossim(maps.flatten(1), given.flatten(1), cossim_pow)


@objective
def style(
    layers: str | Sequence[str], picture: npt.ArrayLike, norm: Norm = "l1", ema_decay: float | None = None
) -> Function:
    """Bring the style of pictures towards a given one's: minus the distance of Gram matrices (Gatys et al. 2015).

    Args:
        layers: one or several, whose distances are added.
        picture: (h, w, c) in 0..1, whatever its size.
        norm: the mean size of the differences, or their mean square.
        ema_decay: compare a running mean of a picture's Gram matrices over the steps, which forgets by this factor;
            for steps that see parts of a picture only.
    """
    given = _as_picture(picture)
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if not names or norm not in ("l1", "l2"):
        raise UsageError(f"style({list(names)}, norm={norm!r}): expected at least one layer, and the norm l1 or l2")
    if ema_decay is not None and not 0 <= ema_decay < 1:
        raise UsageError(f"ema_decay={ema_decay:g}: expected a number from 0 to below 1")
    mine = object()

    def function(seen: Seen) -> Tensor:
        return -torch.stack([_style_distance(seen, mine, name, given, norm, ema_decay) for name in names]).sum(dim=0)

    return function


def _style_distance(seen: Seen, mine: object, layer: str, given: Tensor, norm: Norm, ema_decay: float | None) -> Tensor:
    grams = gram(seen.activated(layer))
    if ema_decay is not None:
        grams = _smoothed(seen, (mine, layer), grams, ema_decay)
    if (mine, layer) not in seen.memory:
        seen.memory[mine, layer] = _style_of(seen.lens, layer, given)
    difference: Tensor = grams - seen.memory[mine, layer].to(grams)
    return (difference.abs() if norm == "l1" else difference.square()).mean(dim=(1, 2))


def gram(maps: Tensor) -> Tensor:
    """Multiply each pair of units and average over the positions: (n, C, h, w) to (n, C, C)."""
    units = maps.flatten(2)
    return units @ units.transpose(1, 2) / units.shape[2]


def _style_of(lens: Lens, layer: str, picture: Tensor) -> Tensor:
    height, width = picture.shape[2:]
    shown = picture if lens.accepts(height, width, layer) else _resized(picture, lens.space.size)
    with torch.no_grad():
        return gram(lens.read(layer, shown, activated=True))


def _smoothed(seen: Seen, key: tuple[object, str], grams: Tensor, decay: float) -> Tensor:
    """Give each picture's running mean, through which the gradient flows as if it were the picture's own matrix."""
    means = []
    for number, own in zip(seen.numbers, grams.detach(), strict=True):
        total, weight = seen.memory.get((*key, number), (torch.zeros_like(own), 0.0))
        # The mean is over the steps so far: the zeros it started from are no matrices.
        total, weight = decay * total + (1 - decay) * own, decay * weight + (1 - decay)
        seen.memory[*key, number] = total, weight
        means.append(total / weight)
    return grams + (torch.stack(means) - grams).detach()


def _as_picture(given: npt.ArrayLike) -> Tensor:
    """Take (h, w, c) to (1, c, h, w)."""
    values = given_array("the picture", given, ["(h, w, c)"])
    return _planes(values.numpy().tobytes(), tuple(values.shape))


@lru_cache(maxsize=16)
def _planes(values: bytes, shape: tuple[int, ...]) -> Tensor:
    """Make one tensor of equal pictures, so that several objectives have it seen once."""
    picture = torch.frombuffer(bytearray(values), dtype=torch.float32).view(shape)
    return picture.movedim(-1, 0)[None].contiguous()


def _resized(values: Tensor, like: Tensor | tuple[int, int]) -> Tensor:
    size = tuple(like.shape[2:]) if isinstance(like, Tensor) else like
    if values.shape[2:] == size:
        return values
    return F.interpolate(values, size, mode="bilinear", antialias=True)


def _size(pictures: Tensor) -> str:
    return " x ".join(map(str, (*pictures.shape[2:], pictures.shape[1])))

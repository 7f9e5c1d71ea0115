"""Objectives that compare the pictures of a batch with each other, which then is never split."""

import torch
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.lens import Seen
from agnostic.optvis.objective import Function, objective

# How far along the row pictures are compared.
_FARTHEST = 4
_EPSILON = 1e-10


@objective(couples=True)
def alignment(layer: str, decay_ratio: float = 2.0) -> Function:
    """Make neighbouring pictures alike, so that what is drawn stays in its place.

    A pair of pictures at distance d, of 1 to 4, counts minus the mean square of their difference over decay_ratio^d;
    each of the two gets half of it.

    Args:
        layer: where they are compared; ``"input"`` for the pictures themselves.
        decay_ratio: how much less each further neighbour counts.
    """
    if decay_ratio <= 0:
        raise UsageError(f"decay_ratio={decay_ratio:g}: expected a number above 0")

    def function(seen: Seen) -> Tensor:
        maps = seen.activated(layer)
        total = maps.new_zeros(len(maps))
        for distance in range(1, min(_FARTHEST, len(maps) - 1) + 1):
            pairs = (maps[:-distance] - maps[distance:]).square().mean(dim=(1, 2, 3)) / (2 * decay_ratio**distance)
            none = pairs.new_zeros(distance)
            total = total - torch.cat([pairs, none]) - torch.cat([none, pairs])
        return total

    return function


@objective(couples=True)
def diversity(layer: str) -> Function:
    """Measure how alike the pictures are in style; weigh it by about -100 to make them differ.

    Each picture's number is the sum of the products of its Gram matrix with every other's, all of length 1
    (Olah, Mordvintsev & Schubert 2017).

    Args:
        layer: whose units' Gram matrices are compared.
    """

    def function(seen: Seen) -> Tensor:
        units = seen.activated(layer).flatten(2)
        grams = (units @ units.transpose(1, 2)).flatten(1)
        unit_length = grams / grams.square().sum(dim=1, keepdim=True).clamp(min=_EPSILON).sqrt()
        alike = unit_length @ unit_length.T
        return alike.sum(dim=1) - alike.diagonal()

    return function

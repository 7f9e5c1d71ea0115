"""Pictures drawn by a small network of coordinates, smooth at every size (Stanley 2007; Mordvintsev et al. 2018)."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.basis import Store, Stored, basis

Activation = Literal["unbiased", "composite", "relu"]
# Coordinates that are spread evenly over -sqrt(3)..sqrt(3) have a variance of 1.
_REACH = 3**0.5
_BIAS = 0.1
_LEARNING_RATE = 0.005


@basis
def cppn(hidden: int = 24, layers: int = 8, activation: Activation = "unbiased", *, normalise: bool = False) -> Store:
    """Store a network that gives each place its colour; it draws well without any transforms.

    Its pictures begin grey, since the last layer begins at zero.

    Args:
        hidden: channels of each hidden layer.
        layers: how many there are.
        activation: composite: arctangents beside their squares; unbiased: the same with squares about their mean, which
            saturates later and excites units several times as much; relu.
        normalise: bring each channel of each layer to mean 0 and variance 1 over the picture.

    Raises:
        UsageError: no such activation, or a size below 1.
    """
    if activation not in _ACTIVATIONS or hidden < 1 or layers < 1:
        raise UsageError(
            f"cppn({hidden}, {layers}, {activation!r}): expected at least one channel and layer, and one of "
            f"{', '.join(_ACTIVATIONS)}"
        )
    bend, growth = _ACTIVATIONS[activation]

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        fans = [2] + [hidden * growth] * layers
        variables: dict[str, Tensor] = {}
        for number, fan in enumerate(fans[:-1]):
            variables[f"weights.{number}"] = draws.normal(hidden, fan) / fan**0.5
            variables[f"biases.{number}"] = draws.normal(hidden, 1) * _BIAS
        variables["weights.last"] = torch.zeros(len(draws), channels, fans[-1])
        variables["biases.last"] = torch.zeros(len(draws), channels, 1)
        for variable in variables.values():
            variable.requires_grad_()
        raw = partial(_drawn, list(variables.values()), bend, normalise, height, width)
        return Stored(variables, raw, learning_rate=_LEARNING_RATE)

    return stored


def _drawn(
    variables: list[Tensor], bend: Callable[[Tensor], Tensor], normalise: bool, height: int, width: int
) -> Tensor:
    """Run each picture's own network on all places: (n, c, h, w)."""
    values = _places(height, width).expand(len(variables[0]), -1, -1)
    *inner, (weights, biases) = zip(variables[::2], variables[1::2], strict=True)
    for weight, bias in inner:
        values = torch.baddbmm(bias, weight, values)
        values = bend(F.instance_norm(values) if normalise else values)
    return torch.baddbmm(biases, weights, values).view(len(values), -1, height, width)


def _places(height: int, width: int) -> Tensor:
    """Give the coordinates x and y of every pixel, those of square pixels: (2, h * w)."""
    reach = _REACH * height / width
    y, x = torch.meshgrid(torch.linspace(-reach, reach, height), torch.linspace(-_REACH, _REACH, width), indexing="ij")
    return torch.stack([x, y]).flatten(1)


# The constants bring values that come in with mean 0 and variance 1 back to it, or to a mean square of 1.
def _composite(values: Tensor) -> Tensor:
    bent = torch.atan(values)
    return torch.cat([bent / 0.67, bent.square() / 0.6], dim=1)


def _unbiased(values: Tensor) -> Tensor:
    bent = torch.atan(values)
    return torch.cat([bent / 0.67, (bent.square() - 0.45) / 0.396], dim=1)


def _relu(values: Tensor) -> Tensor:
    return (F.relu(values) - 0.40) / 0.58


# Each with how many channels it makes of one.
_ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "composite": (_composite, 2),
    "unbiased": (_unbiased, 2),
    "relu": (_relu, 1),
}

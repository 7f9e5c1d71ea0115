"""Objectives about units, classes and whole layers."""

from torch import Tensor

from agnostic.optvis.lens import Seen
from agnostic.optvis.objective import Function, objective
from agnostic.optvis.objectives.picking import position_of, unit_of


@objective
def channel(layer: str, unit: int) -> Function:
    """Maximise a unit over all positions (Olah, Mordvintsev & Schubert 2017).

    >>> str(channel("fire8/concat", 12) - 0.5 * channel("fire8/concat", 13))
    'channel(fire8/concat, 12) - 0.5 * channel(fire8/concat, 13)'
    """
    return lambda seen: unit_of(seen(layer), layer, unit).mean(dim=(1, 2))


@objective
def neuron(layer: str, unit: int, x: int | None = None, y: int | None = None) -> Function:
    """Maximise a unit at one position, the middle by default: column x, row y of the layer's grid."""
    return lambda seen: position_of(unit_of(seen(layer), layer, unit), layer, x, y)


@objective
def class_logit(label: str | int, layer: str | None = None) -> Function:
    """Maximise the score of a class, before its softmax (Simonyan, Vedaldi & Zisserman 2014).

    Args:
        label: the class by name or number.
        layer: where it is read; the class scores by default.
    """

    def function(seen: Seen) -> Tensor:
        scores = layer or seen.lens.model.scores_tensor
        return unit_of(seen(scores), scores, seen.lens.class_number(label)).mean(dim=(1, 2))

    return function


@objective
def channel_interpolate(layer: str, unit: int, other_layer: str, other_unit: int) -> Function:
    """Go from one unit in the first picture to another in the last, in equal steps."""

    def function(seen: Seen) -> Tensor:
        start, end = (
            unit_of(seen(name), name, number).mean(dim=(1, 2))
            for name, number in ((layer, unit), (other_layer, other_unit))
        )
        weights = start.new_tensor(seen.numbers) / max(1, seen.count - 1)
        return (1 - weights) * start + weights * end

    return function


@objective
def interaction(
    layer: str, unit: int, other_layer: str, other_unit: int, *, everywhere: float = 0.2, middle: float = 1.0
) -> Function:
    """Maximise two units together: what they make of each other in one picture.

    Args:
        layer: of the first unit.
        unit: the first.
        other_layer: of the second unit.
        other_unit: the second.
        everywhere: the weight of each unit's mean over all positions.
        middle: the weight of each unit in the middle.
    """
    parts = [
        everywhere * channel(name, number) + middle * neuron(name, number)
        for name, number in ((layer, unit), (other_layer, other_unit))
    ]
    return parts[0] + parts[1]


@objective
def deepdream(layer: str) -> Function:
    """Maximise the mean square of a whole layer (Mordvintsev, Olah & Tyka 2015)."""
    return lambda seen: seen.activated(layer).square().mean(dim=(1, 2, 3))

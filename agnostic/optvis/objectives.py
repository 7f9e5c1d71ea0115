"""The objectives: each a maker of ``(T) -> (n,)``, where ``T(layer)`` is (n, C, h, w).

To add one, write a decorated function here; what it returns is maximised.
"""

from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.lens import Seen
from agnostic.optvis.objective import Function, Objective, as_objective, objective, of_target

__all__ = ["Objective", "as_objective", "channel", "deepdream", "neuron", "objective", "of_target"]


@objective
def channel(layer: str, unit: int) -> Function:
    """Maximise a unit over all positions (Olah, Mordvintsev & Schubert 2017)."""
    return lambda seen: _unit(seen, layer, unit).mean(dim=(1, 2))


@objective
def neuron(layer: str, unit: int, x: int | None = None, y: int | None = None) -> Function:
    """Maximise a unit at one position, the middle by default: column x, row y of the layer's grid."""

    def function(seen: Seen) -> Tensor:
        maps = _unit(seen, layer, unit)
        height, width = maps.shape[1:]
        row, column = height // 2 if y is None else y, width // 2 if x is None else x
        if not (0 <= row < height and 0 <= column < width):
            raise UsageError(f"{layer}:{unit} has {width} x {height} positions, there is none at x={column}, y={row}")
        return maps[:, row, column]

    return function


@objective
def deepdream(layer: str) -> Function:
    """Maximise the mean square of a whole layer (Mordvintsev, Olah & Tyka 2015)."""
    return lambda seen: seen(layer).square().mean(dim=(1, 2, 3))


def _unit(seen: Seen, layer: str, unit: int) -> Tensor:
    """One unit on its positions: (n, h, w)."""
    values = seen(layer)
    if not 0 <= unit < values.shape[1]:
        raise UsageError(f"{layer!r} has the units 0 to {values.shape[1] - 1}, not {unit}")
    return values[:, unit]

"""What units are together: several pictures of one, directions between them, and the way from one to another."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from agnostic.engine.target import Term
from agnostic.errors import UsageError
from agnostic.optvis import objectives
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Objective, as_objective, of_target
from agnostic.optvis.params import aligned
from agnostic.optvis.recipes.joining import in_turn
from agnostic.optvis.recipes.registry import Order, recipe
from agnostic.optvis.rendering import Rendering, named


@recipe("diversity", takes="units", summary="Several pictures of one unit that differ: the facets of what excites it.")
def diversity(order: Order, *, pictures: int = 4, weight: float = 1.0, layer: str = "") -> Rendering:
    """Maximise a unit in several pictures at once, unlike each other in style (Olah, Mordvintsev & Schubert 2017).

    Args:
        order: the order.
        pictures: how many of each unit.
        weight: how much differing counts; at 1, two pictures of one style are as bad as none of the unit.
        layer: where styles are compared; the unit's own layer by default.
    """
    if pictures < 2 or weight < 0:
        raise UsageError(f"--pictures {pictures} --weight {weight:g}: expected at least two pictures, and 0 or more")

    def several(part: Order) -> Rendering:
        aim = as_objective(part.names[0], part.lens)
        alike = objectives.diversity(layer or places_of(part.lens, part.names[0]))
        return named(part.render(against(aim, alike, weight / (pictures - 1)), count=pictures), [str(aim)] * pictures)

    return in_turn(order.each(), several)


@recipe("direction", takes="units", summary="What lies in the direction of several units of one layer: A + 0.5*B.")
def direction(order: Order, *, cossim_pow: float = 1.0) -> Rendering:
    """Maximise a sum of units of one layer, and little else in that layer.

    Args:
        order: the order.
        cossim_pow: how much it counts that other units stay low; 0 for not at all, which is the recipe `unit`.
    """
    if cossim_pow < 0:
        raise UsageError(f"--cossim-pow {cossim_pow:g}: expected 0 or more")
    aims = [objectives.direction(*vector_of(order.lens, name), cossim_pow) for name in order.names]
    return named(order.render(aims), order.names)


@recipe("interpolate", takes="units", summary="The way from one unit to another, in pictures that blend.")
def interpolate(order: Order, *, pictures: int = 6) -> Rendering:
    """Go from a unit to another in equal steps, each a picture that shares its coarse parts with the rest.

    Args:
        order: the order; of exactly two units.
        pictures: how many, both ends counted.
    """
    if len(order.names) != 2 or pictures < 2:
        raise UsageError(
            f"interpolate goes from one unit to another in two pictures or more, got {len(order.names)} "
            f"({', '.join(order.names)}) and --pictures {pictures}: give LAYER:UNIT twice"
        )
    start, end = (order.lens.model.target(name) for name in order.names)
    shares = [number / (pictures - 1) for number in range(1, pictures - 1)]
    way = [start, *((1 - share) * start + share * end for share in shares), end]
    canvas = order.canvas(basis=aligned(order.basis))
    return named(order.render([of_target(stop) for stop in way], canvas), [stop.name for stop in way])


def against(aim: Objective, penalty: Objective, weight: float) -> Objective:
    """Maximise an aim and keep a penalty low, weighed in units of the aim's own size at each step.

    A weight then means the same for a unit of any strength, in any model.
    """

    def function(seen: Seen) -> Tensor:
        value = aim(seen)
        return value - weight * value.detach().abs() * penalty(seen)

    couples = aim.couples or penalty.couples
    return Objective(function, f"{aim} - {weight:g} * |{aim}| * {penalty}", couples)


def places_of(lens: Lens, name: str) -> str:
    """Find the layer of a unit; for one without places, such as a class, the last layer that has some.

    Raises:
        UsageError: no layer has any.
    """
    own = lens.layers.get(lens.model.target(name).entries[0].tensor)
    spatial = [layer for layer in lens.layers.values() if layer.kind != "vector" and layer.shape[-2:] != (1, 1)]
    if own in spatial:
        return own.name
    if not spatial:
        raise UsageError(f"{name}: no layer of this model has places that pictures could be compared by; give --layer")
    return spatial[-1].name


def vector_of(lens: Lens, name: str) -> tuple[str, npt.NDArray[np.float32]]:
    """Read a sum of units as a direction: their layer, and the weight of each of its units (C,).

    Raises:
        UsageError: they are of several layers, at single positions, or no units of a layer.
    """
    terms = lens.model.target(name).entries
    layer = lens.layers.get(terms[0].tensor)
    units = [[at for at in term.index if at is not None] if isinstance(term, Term) else [] for term in terms]
    count = None if layer is None else layer.unit_count
    if layer is None or count is None or {term.tensor for term in terms} != {layer.name} or {*map(len, units)} != {1}:
        raise UsageError(f"{name} is no direction: expected whole units of one layer, such as LAYER:12 + 0.5*LAYER:30")
    vector = np.zeros(count, np.float32)
    for term, (unit,) in zip(terms, units, strict=True):
        vector[unit] += term.weight
    return layer.name, vector

"""One picture for each unit, neuron, class, or combination of them."""

from typing import Literal

from agnostic.optvis.objectives import as_objective
from agnostic.optvis.recipes.registry import Order, recipe
from agnostic.optvis.rendering import Rendering, named


@recipe("unit", takes="units", summary="What excites a unit, a neuron, a class, or a sum of them; the default.")
def unit(order: Order, *, sign: Literal["positive", "negative", "both"] = "positive") -> Rendering:
    """Maximise each target in a picture of its own (Olah, Mordvintsev & Schubert 2017).

    Args:
        order: the order.
        sign: positive: what excites it; negative: what it is against; both: one picture of each.
    """
    aims = [as_objective(name, order.lens) for name in order.names]
    signed = {"positive": aims, "negative": [-aim for aim in aims], "both": [s for a in aims for s in (a, -a)]}
    chosen = list(signed[sign])
    return named(order.render(chosen), [str(aim) for aim in chosen])

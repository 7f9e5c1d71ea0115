"""One picture for each unit, neuron, class, or combination of them."""

from collections.abc import Sequence
from typing import Literal

from agnostic.errors import UsageError
from agnostic.optvis.objectives import as_objective
from agnostic.optvis.recipes.registry import Order, recipe
from agnostic.optvis.rendering import Rendering, named
from agnostic.optvis.transforms import Transforms, jitter, random_rotate, random_scale

Sign = Literal["positive", "negative", "both"]


@recipe("unit", takes="units", summary="What excites a unit, a neuron, a class, or a sum of them; the default.")
def unit(order: Order, *, sign: Sign = "positive") -> Rendering:
    """Maximise each target in a picture of its own (Olah, Mordvintsev & Schubert 2017).

    A neuron is a unit at one position, ``LAYER:UNIT@ROW,COLUMN``. Lucid counts it the same way and calls them x and y.

    Args:
        order: the order.
        sign: positive: what excites it; negative: what it is against; both: one picture of each.
    """
    return _signed(order, sign, None)


@recipe(
    "class", takes="units", summary="What a class looks like: one large thing in the middle of the picture.",
    preset="large",
)  # fmt: skip
def class_(order: Order, *, sign: Sign = "positive", zoom: float = 2.0, turn: float = 15.0) -> Rendering:
    """Maximise class scores as the model looks closer and closer at the middle (Simonyan et al. 2014).

    A score is a sum over the whole picture, which fills with small copies unless windows of it have to do alone.

    Args:
        order: the order.
        sign: positive: what excites it; negative: what it is against; both: one picture of each.
        zoom: how much the picture is enlarged at most before the model sees it; 1 for not at all.
        turn: by how many degrees it is turned at most.
    """
    if zoom < 1 or turn < 0:
        raise UsageError(f"--zoom {zoom:g} --turn {turn:g}: expected a zoom of 1 or more and a turn of 0 or more")
    return _signed(order, sign, None if order.preset.phases else close_ups(order.preset.size, zoom, turn))


def _signed(order: Order, sign: Sign, transforms: Transforms | None) -> Rendering:
    aims = [as_objective(name, order.lens) for name in order.names]
    chosen = {"positive": aims, "negative": [-aim for aim in aims], "both": [s for a in aims for s in (a, -a)]}[sign]
    return named(order.render(chosen, transforms=transforms), [str(aim) for aim in chosen])


def close_ups(size: int, zoom: float, turn: float) -> Transforms:
    """List what class pictures are shaken by: shifts by an eighth of their size, turns, and enlargements."""
    scales = [1 + (zoom - 1) * step / _SCALES for step in range(_SCALES + 1)]
    angles = [turn * step / _ANGLES for step in range(-_ANGLES, _ANGLES + 1)]
    return [jitter(max(1, size // 8)), random_scale(scales), random_rotate([*angles, *_UPRIGHT]), jitter(4)]


_SCALES, _ANGLES = 20, 15
_UPRIGHT: Sequence[float] = (0.0,) * 5

"""The pictures in which a unit speaks for a class: its examples by what it adds to it, not by how active it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agnostic.blocks.attribution import attribute
from agnostic.blocks.examples import Example, Index
from agnostic.blocks.maps import as_sample
from agnostic.blocks.slopes import How
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.target import Target
from agnostic.errors import UsageError


class Toward(NamedTuple):
    """An example of a unit, and what the unit adds there to a target."""

    example: Example
    value: float


def toward(
    model: Model,
    index: Index,
    root: Path,
    layer: str,
    unit: int,
    target: Target | str | int,
    *,
    count: int = 8,
    among: int = 32,
    how: How = "path",
) -> tuple[Toward, ...]:
    """List the examples of a unit that it speaks for a target in, the most first.

    Looked at are those of the index's examples, the strongest and those across the unit's range, that excite the unit
    at all: attributing every picture of a folder would cost a hundred times what the index did.

    Args:
        model: the model of the index.
        index: which pictures excite the unit.
        root: the folder of the index's pictures.
        layer: the layer.
        unit: its unit.
        target: what it may speak for.
        count: how many to list.
        among: how many examples to look at.
        how: along the path from zero, or linear.

    Raises:
        UsageError: a name or number does not fit.
        InputError: a picture is gone.
        ModelError: the target does not depend on the layer.
    """
    if count < 1 or among < 1:
        raise UsageError(f"count={count}, among={among}: expected 1 or more of both")
    aim = model.target(target)
    found = []
    for example in _looked_at(index, layer, unit, among):
        if (deadline := current()) is not None:
            deadline.check()
        (values,) = attribute(model, as_sample(model, root / example.picture), layer, [aim], how=how)
        found.append(Toward(example, float(values.channels[unit])))
    return tuple(sorted(found, key=lambda row: -row.value)[:count])


def _looked_at(index: Index, layer: str, unit: int, among: int) -> Sequence[Example]:
    top = index.top(layer, unit)
    spread = index.spread(layer, unit, among)
    by_name = {example.picture: example for example in (*spread, *top) if example.value > 0}
    return sorted(by_name.values(), key=lambda example: (-example.value, example.picture))[:among]

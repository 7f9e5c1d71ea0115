"""Several renderings in a row, as one."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from agnostic.optvis.recipes.registry import Order
from agnostic.optvis.rendering import Rendering


def in_turn(orders: Sequence[Order], make: Callable[[Order], Rendering]) -> Rendering:
    """Render each order and join what comes out; what is stopped stops the rest."""
    done: list[Rendering] = []
    for number, order in enumerate(orders):
        done.append(make(order.part(number, len(orders))))
        if done[-1].stopped:
            break
    return joined(done)


def joined(renderings: Sequence[Rendering]) -> Rendering:
    """Join renderings of equal sizes and steps: their pictures one behind the other, the recipe of the first."""
    first, last = renderings[0], renderings[-1]
    if len(renderings) == 1:
        return first
    reached = [stop for stop in first.snapshots if all(stop in item.snapshots for item in renderings)]
    return Rendering(
        np.concatenate([item.pictures for item in renderings]),
        {stop: np.concatenate([item.snapshots[stop] for item in renderings]) for stop in reached},
        np.concatenate([item.values for item in renderings], axis=1),
        np.concatenate([item.moved for item in renderings]),
        last.stopped,
        {**first.recipe, "objective": ", ".join(str(item.recipe["objective"]) for item in renderings)},
        tuple(name for item in renderings for name in item.names),
    )


def reordered(rendering: Rendering, places: Sequence[int]) -> Rendering:
    """Put the pictures where they belong: number i comes to places[i], as far as they were rendered."""
    rows = np.argsort(places[: len(rendering.pictures)])
    return replace(
        rendering,
        pictures=rendering.pictures[rows],
        snapshots={stop: pictures[rows] for stop, pictures in rendering.snapshots.items()},
        values=rendering.values[:, rows],
        moved=rendering.moved[rows],
        names=tuple(rendering.names[row] for row in rows),
    )

"""A picture at a layer: what each place is made of, and which units and places speak for and against each class."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from agnostic.blocks.attribution import LayerAttribution, attribute
from agnostic.blocks.badges import Badge
from agnostic.blocks.dictionary import Dictionary, dictionary
from agnostic.blocks.maps import Array32
from agnostic.blocks.summary import class_factors, top_units, totals
from agnostic.blocks.trust import ablation, completeness, path_dependence, randomisation
from agnostic.engine.model import Model
from agnostic.errors import AgnosticError, ItemError, LimitError, ModelError, UsageError
from agnostic.report.microscope.folder import CACHE, Folder
from agnostic.report.microscope.shown import Shown
from agnostic.report.microscope.steps import Outcome

CELL_UNITS, CLASS_UNITS, UNIT_CLASSES = 5, 12, 3
# At a hundredth of the rise the numbers on the page are right to the last digit that is shown of a bar.
TOLERANCE = 1e-2
FACTORS = 2
# Of the badge on path dependence; more would cost more than all else on the page.
CURVES, CURVE_STEPS = 2, 8


class Attributed(NamedTuple):
    """The attributions of a picture's classes to a layer, by either rule; empty where there is no gradient."""

    path: tuple[LayerAttribution, ...]
    linear: tuple[LayerAttribution, ...]


def write_image(
    folder: Folder, model: Model, shown: Shown, layer: str, slug: str, *, gradients: bool, last: bool
) -> Outcome:
    """Write a picture's page at a layer, without what feeds it; its facts name the units that the page speaks of.

    Args:
        folder: the site.
        model: the model.
        shown: the picture.
        layer: the layer.
        slug: its name in the site.
        gradients: whether the scores can be attributed to it.
        last: whether it is the last layer that is looked at, for which one more check is made.
    """
    held = dictionary(model, shown.sample, layer, top=CELL_UNITS)
    found = attributed(model, shown, layer) if gradients else Attributed((), ())
    units = units_of(held, found)
    value = {
        **_of_places(held, units),
        "classes": [{"index": item.index, "name": item.name, "score": item.score} for item in shown.predictions],
        **_of_classes(shown, found, units),
        "nmf": _factors(found),
        "between": {},
        "grid_sprite": None,
        "badges": [written(badge) for badge in badges(model, shown, layer, found, last)],
    }
    file = folder.put(f"page/{shown.id}/{slug}", value, f"{CACHE}/pages/{shown.id}/{slug}.js")
    return Outcome((file,), {"units": units, "attributed": bool(found.path)})


def attributed(model: Model, shown: Shown, layer: str) -> Attributed:
    """Attribute the classes to a layer by both rules; a layer that no gradient reaches has none."""
    try:
        path = attribute(model, shown.sample, layer, shown.classes, tolerance=TOLERANCE)
        return Attributed(path, attribute(model, shown.sample, layer, shown.classes, how="linear"))
    except (ItemError, ModelError):
        return Attributed((), ())


def units_of(held: Dictionary, found: Attributed) -> list[int]:
    """The units that a page speaks of: those at any place, and those that matter to any class."""
    units = set(held.units[held.values > 0].ravel().tolist())
    for item in found.path:
        units |= set(top_units(item, CLASS_UNITS).units.tolist())
    return sorted(int(unit) for unit in units)


def _of_places(held: Dictionary, units: Sequence[int]) -> dict[str, Any]:
    channels, height, width = held.maps.shape
    flat_units = held.units.reshape(height * width, -1)
    flat_values = held.values.reshape(height * width, -1)
    cells = [
        [[int(unit), value] for unit, value in zip(*row, strict=True) if value > 0]
        for row in zip(flat_units, flat_values.tolist(), strict=True)
    ]
    return {
        "shape": [channels, height, width],
        "grid": [height, width],
        "norms": shares(held.norms),
        "cells": cells,
        "max": held.largest,
        "maps": {unit: shares(held.maps[unit]) for unit in units},
    }


def shares(values: Array32) -> list[float]:
    """What is above zero as shares of the largest, of three digits: as many as a colour has."""
    above = np.maximum(values, 0).astype(np.float64)
    scaled: list[float] = np.round(above / (above.max() or 1.0), 3).ravel().tolist()
    return scaled


def _of_classes(shown: Shown, found: Attributed, units: Sequence[int]) -> dict[str, Any]:
    by_class = dict(zip(shown.classes, found.path, strict=False))
    linear = dict(zip(shown.classes, found.linear, strict=False))
    sums = totals(found.path)
    # The units that matter to any class are told of for every class, so that two classes can be compared.
    main = sorted({int(unit) for item in found.path for unit in top_units(item, CLASS_UNITS).units})
    return {
        "spatial": {index: item.spatial.ravel() for index, item in by_class.items()},
        "spatial_linear": {index: item.spatial.ravel() for index, item in linear.items()},
        "channels": {index: _ranked(item, linear[index], main) for index, item in by_class.items()},
        "channel_max": max((top_units(item, 1).largest for item in found.path), default=0.0),
        "totals": {index: sums[item.target] for index, item in by_class.items()},
        "classes_of": _supported(shown, found.path, units),
    }


def _ranked(path: LayerAttribution, linear: LayerAttribution, units: Sequence[int]) -> list[list[float]]:
    """What units add by either rule, the largest by size first."""
    values, others = path.channels, linear.channels
    return [[unit, values[unit], others[unit]] for unit in sorted(units, key=lambda unit: -abs(values[unit]))]


def _supported(shown: Shown, found: Sequence[LayerAttribution], units: Sequence[int]) -> dict[int, list[Any]]:
    """The classes that each unit adds most to."""
    if not found:
        return {}
    sums = np.stack([item.channels for item in found])
    names = [(item.index, item.name) for item in shown.predictions]
    best = {unit: np.argsort(-sums[:, unit], kind="stable")[:UNIT_CLASSES] for unit in units}
    return {unit: [[*names[k], sums[k, unit]] for k in order] for unit, order in best.items()}


def _factors(found: Attributed) -> dict[str, Any]:
    """The few maps that the places of all classes come down to; none without scikit-learn."""
    nothing: dict[str, Any] = {"factors": 0, "maps": [], "to_classes": []}
    if not found.path or found.path[0].values[0].size < FACTORS:
        return nothing
    try:
        factors = class_factors(found.path, FACTORS)
    except (ItemError, UsageError):
        return nothing
    maps = [shares(item) for item in factors.maps]
    return {"factors": len(maps), "maps": maps, "to_classes": factors.to_classes.tolist()}


def badges(model: Model, shown: Shown, layer: str, found: Attributed, last: bool) -> list[Badge]:
    """Judge the attribution of the first class; unlearning the weights is tried at the last layer only."""
    if not found.path:
        return []
    first = found.path[0]
    aim = shown.classes[0]
    checks: list[Callable[[], Badge]] = [
        lambda: completeness(first),
        lambda: path_dependence(model, shown.sample, layer, aim, paths=CURVES, steps=CURVE_STEPS),
        lambda: ablation(model, shown.sample, first, aim),
    ]
    if last:
        checks.append(lambda: randomisation(model, shown.sample, layer, aim))
    return [badge for check in checks if (badge := attempted(check)) is not None]


def attempted(check: Callable[[], Badge]) -> Badge | None:
    """Make a badge where there can be one."""
    try:
        return check()
    except LimitError:
        raise
    except AgnosticError:
        return None


def written(badge: Badge) -> dict[str, Any]:
    """A badge as the pages read it."""
    return {
        "name": badge.name, "value": badge.value, "text": badge.text, "sentence": badge.sentence, "level": badge.level,
        "facts": badge.facts,
    }  # fmt: skip

"""A picture's neuron groups at a layer: several numbers of them, what each adds to classes and to later groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agnostic.blocks.groups import Groups, effects, grouped, links
from agnostic.blocks.maps import Array32, layer_maps
from agnostic.blocks.trust import fidelity, stability
from agnostic.engine.model import Model
from agnostic.errors import ItemError, ModelError
from agnostic.kernels.resize import bilinear
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.images import shares, written
from agnostic.report.microscope.shown import Shown
from agnostic.report.microscope.steps import Outcome

CHOICES, DEFAULT = (2, 4, 6, 8), 6
STEPS, LINK_STEPS = 4, 4
CHANNELS = 5


def write_groups(
    folder: Folder, model: Model, shown: Shown, layer: str, slug: str, later: Mapping[str, str], gradients: bool
) -> Outcome:
    """Write the groups of a layer; `later` maps the slugs of later layers to their names, for the links."""
    maps = layer_maps(model, shown.sample, layer)
    numbers = fitting(maps)
    if not numbers:
        return Outcome((), {})
    choices = {n: grouped(layer, maps, n) for n in numbers}
    default = default_of(numbers)
    value = {
        "choices": {n: _choice(model, shown, found, gradients) for n, found in choices.items()},
        "order": [],
        "links": _links(model, shown, choices[default], later) if gradients else {},
        "default": default,
        "sprite": None,
    }
    file = folder.put(f"groups/{shown.id}/{slug}", value, f"data/images/{shown.id}/{slug}.groups.js")
    return Outcome((file,), {"groups": default})


def fitting(maps: Array32) -> list[int]:
    """The numbers of groups that a layer can have: no more than it has dimensions, none where it is zero."""
    rank = int(np.linalg.matrix_rank(maps.reshape(len(maps), -1)))
    return [n for n in CHOICES if n <= rank] or [1][:rank]


def default_of(numbers: Sequence[int]) -> int:
    """The number of groups that is shown first."""
    return DEFAULT if DEFAULT in numbers else numbers[-1]


def _choice(model: Model, shown: Shown, found: Groups, gradients: bool) -> dict[str, Any]:
    values = _effects(model, shown, found) if gradients else None
    count = len(found.spatial)
    made = [
        {
            "hue": round(360 * i / count, 1),
            "map": shares(found.spatial[i]),
            "channels": _strongest(found.channels[i]),
            "to_classes": []
            if values is None
            else [[item.index, item.name, value] for item, value in zip(shown.predictions, values[i], strict=True)],
            "icon": None,
            "color": _colour(shown, found.spatial[i]),
            "peak": found.peaks[i],
        }
        for i in range(count)
    ]
    badges = [written(badge) for badge in (fidelity(found), stability(found))]
    return {"groups": made, "explained": found.explained, "stability": found.stability, "badges": badges}


def _effects(model: Model, shown: Shown, found: Groups) -> Any:
    try:
        return effects(model, shown.sample, found, shown.classes, steps=STEPS).values
    except (ItemError, ModelError):
        return None


def _strongest(direction: Array32) -> list[list[Any]]:
    best = np.argsort(-abs(direction), kind="stable")[:CHANNELS]
    return [[int(unit), direction[unit]] for unit in best if direction[unit]]


def _colour(shown: Shown, place: Array32) -> str:
    """The mean colour of the picture where a group is."""
    pixels = shown.pixels
    weights = bilinear(np.ascontiguousarray(place[None]), (pixels.shape[0], pixels.shape[1]))[0].astype(np.float64)
    total = float(weights.sum()) or 1.0
    mean = (pixels * weights[..., None]).sum(axis=(0, 1)) / total
    return "#" + "".join(f"{int(np.clip(round(value), 0, 255)):02x}" for value in mean)


def _links(model: Model, shown: Shown, found: Groups, later: Mapping[str, str]) -> dict[str, list[list[Any]]]:
    """What each group adds to each of the later layers' groups of the default number."""
    made: dict[str, list[list[Any]]] = {}
    for slug, name in later.items():
        try:
            maps = layer_maps(model, shown.sample, name)
            if not (numbers := fitting(maps)):
                continue
            late = grouped(name, maps, default_of(numbers))
            values = links(model, shown.sample, found, late, steps=LINK_STEPS).values
        except (ItemError, ModelError):
            continue
        made[slug] = [[i, j, values[i, j]] for i in range(values.shape[0]) for j in range(values.shape[1])]
    return made

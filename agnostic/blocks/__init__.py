"""The building blocks of interpretability: what layers hold, what they add to a score, and how they group.

Arrays in, arrays out; nothing here draws. After Olah et al., "The Building Blocks of Interpretability" (Distill, 2018).

The rooms `atlas`, `dictionary`, `groups` and `trust` are reached as modules: `blocks.groups.groups(...)`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic.blocks import atlas, dictionary, groups, trust
    from agnostic.blocks.attribution import (
        LayerAttribution,
        attribute,
        between,
        channel_directions,
        position_directions,
    )
    from agnostic.blocks.badges import Badge
    from agnostic.blocks.compare import agreement, matched_units, two_targets
    from agnostic.blocks.examples_toward import Toward, toward
    from agnostic.blocks.grids import grid
    from agnostic.blocks.groups import Groups, compatible, effects, links
    from agnostic.blocks.maps import as_sample, layer_maps
    from agnostic.blocks.overall import OverallGroups, overall_groups
    from agnostic.blocks.summary import class_factors, top_units, totals
    from agnostic.blocks.view import Activation, Attribution, Part, View

_HOMES = {
    "Activation": "view",
    "Attribution": "view",
    "Badge": "badges",
    "Groups": "groups",
    "LayerAttribution": "attribution",
    "OverallGroups": "overall",
    "Part": "view",
    "Toward": "examples_toward",
    "View": "view",
    "agreement": "compare",
    "as_sample": "maps",
    "attribute": "attribution",
    "between": "attribution",
    "channel_directions": "attribution",
    "class_factors": "summary",
    "compatible": "groups",
    "effects": "groups",
    "grid": "grids",
    "layer_maps": "maps",
    "links": "groups",
    "matched_units": "compare",
    "overall_groups": "overall",
    "position_directions": "attribution",
    "top_units": "summary",
    "totals": "summary",
    "toward": "examples_toward",
    "two_targets": "compare",
}
# Their main function has the same name, which only one of the two can have here.
_MODULES = frozenset({"atlas", "dictionary", "groups", "trust"})

__all__ = [
    "Activation",
    "Attribution",
    "Badge",
    "Groups",
    "LayerAttribution",
    "OverallGroups",
    "Part",
    "Toward",
    "View",
    "agreement",
    "as_sample",
    "atlas",
    "attribute",
    "between",
    "channel_directions",
    "class_factors",
    "compatible",
    "dictionary",
    "effects",
    "grid",
    "groups",
    "layer_maps",
    "links",
    "matched_units",
    "overall_groups",
    "position_directions",
    "top_units",
    "totals",
    "toward",
    "trust",
    "two_targets",
]


def __getattr__(name: str) -> object:
    """Import what is asked for only now."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

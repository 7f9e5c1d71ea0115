"""Arrays to pictures: colour maps, overlays, contours, figures. Knows no model; Pillow is imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic.draw.colour import heat, signed, tint
    from agnostic.draw.contours import pieces
    from agnostic.draw.figures import figure
    from agnostic.draw.marks import BoxMark, Marks
    from agnostic.draw.overlays import Scale, overlay, shared_scale
    from agnostic.draw.panels import Panel

__all__ = [
    "BoxMark",
    "Marks",
    "Panel",
    "Scale",
    "figure",
    "heat",
    "overlay",
    "pieces",
    "shared_scale",
    "signed",
    "tint",
]

_HOMES = {
    "BoxMark": "marks",
    "Marks": "marks",
    "Panel": "panels",
    "Scale": "overlays",
    "figure": "figures",
    "heat": "colour",
    "overlay": "overlays",
    "pieces": "contours",
    "shared_scale": "overlays",
    "signed": "colour",
    "tint": "colour",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

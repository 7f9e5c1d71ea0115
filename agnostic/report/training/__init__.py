"""The page of a training run: its samples, most suspect first, on a map, over the epochs; works from a folder.

``build`` writes it; `samples` says what is known of them, `sheets` shows them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic.report.training.building import Asked, Site, build

_HOMES = {"Asked": "building", "Site": "building", "build": "building"}

__all__ = ["Asked", "Site", "build"]


def __getattr__(name: str) -> object:
    """Import what is asked for only now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

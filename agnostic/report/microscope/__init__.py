"""The microscope: a folder of pages on one model, which work without a server and fetch nothing.

``build`` writes it. `folder` and `steps` hold the files and what is known of them, so that a build that was stopped
goes on where it was; one module makes each kind of page; `serve` shows the folder and renders on demand.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic.report.microscope.building import Built, build
    from agnostic.report.microscope.serving import serve

_HOMES = {"Built": "building", "build": "building", "serve": "serving"}

__all__ = ["Built", "build", "serve"]


def __getattr__(name: str) -> object:
    """Import what is asked for only now."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

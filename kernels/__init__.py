"""Numba kernels for the hot loops: NumPy arrays in, NumPy arrays out.

Each public function checks its arguments and hands contiguous arrays to compiled loops. The names below are looked
up on first use, so importing this package costs nothing; importing one of its modules imports Numba.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic.kernels.masks import accumulate, compose, mix
    from agnostic.kernels.pillow import resample
    from agnostic.kernels.resize import bilinear, upsample_normalise
    from agnostic.kernels.rise import draw_cells, render
    from agnostic.kernels.rows import switch
    from agnostic.kernels.superpixels import boundaries, segment_means, slic
    from agnostic.kernels.tables import lookup
    from agnostic.kernels.windows import occlude, spread

# `changes.changes` and `windows.windows` are missing on purpose: these names are the modules'.
__all__ = [
    "accumulate",
    "bilinear",
    "boundaries",
    "compose",
    "draw_cells",
    "lookup",
    "mix",
    "occlude",
    "render",
    "resample",
    "segment_means",
    "slic",
    "spread",
    "switch",
    "upsample_normalise",
]

_HOMES = {
    "accumulate": "masks",
    "bilinear": "resize",
    "boundaries": "superpixels",
    "compose": "masks",
    "draw_cells": "rise",
    "lookup": "tables",
    "mix": "masks",
    "occlude": "windows",
    "render": "rise",
    "resample": "pillow",
    "segment_means": "superpixels",
    "slic": "superpixels",
    "spread": "windows",
    "switch": "rows",
    "upsample_normalise": "resize",
}


def __getattr__(name: str) -> object:
    """Import the module a public name lives in, the first time it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return __all__

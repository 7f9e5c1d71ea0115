"""Which pictures of a folder excite a unit most, least and in between, for every unit of the layers asked for.

    index = build(model, "photos/", ["fire9/concat"], "photos.index")
    index.top("fire9/concat", 12)[0].picture

The statistics of a unit count each picture once, with the unit's largest activation on it.
"""

from agnostic.blocks.examples_build import build
from agnostic.blocks.examples_index import Example, Histogram, Index, Picture, Skipped, Stats, load, merge
from agnostic.blocks.examples_layers import Grid
from agnostic.blocks.examples_patch import Patch, patch

__all__ = [
    "Example",
    "Grid",
    "Histogram",
    "Index",
    "Patch",
    "Picture",
    "Skipped",
    "Stats",
    "build",
    "load",
    "merge",
    "patch",
]

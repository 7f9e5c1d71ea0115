"""Small figures of what the blocks find, for notebooks: a layer's maps on the picture they are of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agnostic.blocks.attribution import LayerAttribution
from agnostic.blocks.compare import TwoTargets
from agnostic.blocks.grids import Grid
from agnostic.blocks.groups import Groups
from agnostic.blocks.maps import Array32
from agnostic.draw import Panel, shared_scale
from agnostic.draw import figure as draw_figure
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.gallery import short
from agnostic.gallery.pictures import Picture
from agnostic.inputs.sample import Sample

if TYPE_CHECKING:
    from PIL.Image import Image

Found = LayerAttribution | Sequence[LayerAttribution] | TwoTargets | Groups | Grid
COLUMNS = 4


def figure(sample: Sample, found: Found, *, heading: str = "", dark: bool = False) -> "Image":
    """Draw what was found beside the picture: the positions of attributions, of groups, or the lengths of a grid.

    Maps that are of one kind share their scale.

    Args:
        sample: the picture it was found on.
        found: attributions to one layer, two compared targets, groups, or an activation grid.
        heading: one line above everything.
        dark: light on dark.

    Raises:
        UsageError: the sample is no picture, or there is nothing to draw.
    """
    if sample.picture is None:
        raise UsageError(f"{sample.name!r} is no picture: there is nothing to draw on")
    panels = [Panel(sample.picture, "input", sample.name), *_panels(sample.picture, found)]
    rows = [panels[start : start + COLUMNS] for start in range(0, len(panels), COLUMNS)]
    return draw_figure(rows, heading=heading, dark=dark)


def _panels(picture: Picture, found: Found) -> list[Panel]:
    if isinstance(found, Grid):
        return _heats(picture, [("activation", found.layer, found.norms)])
    if isinstance(found, Groups):
        titles = [f"group {number}" for number in range(len(found.spatial))]
        return _heats(picture, [(title, found.layer, found.spatial[i]) for i, title in enumerate(titles)])
    if isinstance(found, TwoTargets):
        return _panels(picture, [found.a, found.b])
    items = [found] if isinstance(found, LayerAttribution) else list(found)
    if not items:
        raise UsageError("there is no attribution to draw; give one or more")
    maps = [(short(item.target), f"{item.layer} · adds up to {item.completeness:.2f}", item.spatial) for item in items]
    return _heats(picture, maps)


def _heats(picture: Picture, maps: Sequence[tuple[str, str, Floats | Array32]]) -> list[Panel]:
    """Panels of titles, captions and maps on one scale, with signs where any of them has both."""
    values = [item[2] for item in maps]
    signed = any(bool((item < 0).any()) for item in values)
    scale = shared_scale(values, signed=signed)
    return [
        Panel(picture, title, caption, values=item, style="heat", signed=signed, scale=scale)
        for title, caption, item in maps
    ]

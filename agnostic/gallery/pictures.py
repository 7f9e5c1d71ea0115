"""Figures of explanations of a picture: one beside it, or several targets and methods side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agnostic.draw import Panel, Scale, shared_scale
from agnostic.draw import figure as draw_figure
from agnostic.draw.colour import BLUE, ORANGE, Colour
from agnostic.errors import UsageError
from agnostic.explanation import Explanation

if TYPE_CHECKING:
    from PIL.Image import Image

# A map that speaks against as well as for is drawn with signs; below this share of its peak, minus is noise.
NEGLIGIBLE = 0.05
COLUMNS = 4

Map = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]


def figure(explanations: Sequence[Explanation], *, heading: str = "", dark: bool = False) -> "Image":
    """Draw explanations of one picture, which is shown untouched beside them.

    Maps of one method share their scale, so that two targets can be compared by eye. Two targets are marked orange
    and blue.

    Args:
        explanations: of one picture, by any methods and for any targets.
        heading: one line above everything.
        dark: light on dark.

    Raises:
        UsageError: there is none, one is not of a picture, or they are not of the same picture.
    """
    _check(explanations)
    targets = list(dict.fromkeys(item.target for item in explanations))
    accents: dict[str, Colour | None] = dict.fromkeys(targets)
    if len(targets) == 2:
        accents = dict(zip(targets, (ORANGE, BLUE), strict=True))
    panels = [_input_panel(explanations[0])]
    panels += [_heat_panel(item, _scale(item, explanations), accents[item.target]) for item in explanations]
    if len(explanations) == 1 and explanations[0].segments is not None:
        panels.append(_pieces_panel(explanations[0]))
    rows = [panels] if len(panels) <= COLUMNS else _grid(panels, explanations, targets)
    return draw_figure(rows, footer=_footer(explanations), heading=heading, dark=dark)


def _check(explanations: Sequence[Explanation]) -> None:
    if not explanations:
        raise UsageError("there is no explanation to draw")
    first = _picture(explanations[0])
    if any(_picture(item) is not first and not np.array_equal(_picture(item), first) for item in explanations):
        raise UsageError("the explanations are of different pictures; draw one figure for each")


def _grid(panels: list[Panel], explanations: Sequence[Explanation], targets: list[str]) -> list[list[Panel]]:
    """Put the picture first in each target's rows, and wrap those."""
    rows = []
    for target in targets:
        chosen = [panel for panel, item in zip(panels[1:], explanations, strict=False) if item.target == target]
        block = [panels[0], *chosen]
        rows += [block[start : start + COLUMNS] for start in range(0, len(block), COLUMNS)]
    return rows


def _scale(item: Explanation, together: Sequence[Explanation]) -> Scale:
    maps = [other.values for other in together if other.method == item.method]
    return shared_scale(maps, signed=any(map(_is_signed, maps)))


def _is_signed(values: Map) -> bool:
    return bool(values.min() < -NEGLIGIBLE * max(float(values.max()), 0.0))


def _picture(item: Explanation) -> Picture:
    if item.picture is None:
        raise UsageError(f"{item!r} is not of a picture; read its values instead")
    return item.picture


def _input_panel(item: Explanation) -> Panel:
    return Panel(_picture(item), "input", str(item.meta.get("input", "")))


def _heat_panel(item: Explanation, scale: Scale, accent: Colour | None) -> Panel:
    return Panel(
        _picture(item),
        item.method,
        _caption(item),
        values=item.values,
        segments=item.segments,
        style="heat",
        signed=scale.low < 0,
        scale=scale,
        accent=accent,
    )


def _pieces_panel(item: Explanation) -> Panel:
    return Panel(
        _picture(item),
        "best pieces",
        "the strongest pieces for (+) and against (-)",
        segments=item.segments,
        weights=item.weights,
        style="pieces",
        signed=True,
    )


def _caption(item: Explanation) -> str:
    """Target, probability, and the one number that says how far to trust the map."""
    if item.meta.get("class_agnostic"):
        # The map is the same for all targets: to name one would say that it is of that one.
        parts = ["any class"]
    elif item.meta.get("probability") is None:
        parts = [short(item.target)]
    else:
        parts = [f"{short(item.target)} {item.meta['probability']:.2f}"]
    if item.meta.get("parity") is not None:
        parts.append(f"parity {item.meta['parity']['largest']:.0e}")
    elif item.meta.get("r2") is not None:
        parts.append(f"fit R² {item.meta['r2']:.2f}")
    elif item.meta.get("layer"):
        parts.append(str(item.meta["layer"]))
    else:
        passes = item.meta.get("evaluations", 0)
        parts.append(f"{passes} pass" if passes == 1 else f"{passes} passes")
    return " · ".join(parts)


def short(target: str) -> str:
    """The first of a label's synonyms: `tabby` of `tabby, tabby cat`."""
    return target.split(",")[0]


def _footer(explanations: Sequence[Explanation]) -> str:
    meta = explanations[0].meta
    parts = [str(meta.get("model", "")), f"sha256 {str(meta.get('model_sha256', ''))[:12]}"]
    for item in {item.method: item for item in explanations}.values():
        settings = ", ".join(f"{name} {value}" for name, value in item.meta.get("settings", {}).items())
        parts.append(f"{item.method} ({settings})" if settings else item.method)
    return " · ".join([*parts, f"seed {meta.get('seed', 0)}"])

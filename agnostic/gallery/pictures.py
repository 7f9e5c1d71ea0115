"""Figures of explanations of a picture: one beside it, or several targets and methods side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agnostic.draw import BoxMark, Marks, Panel, Scale, shared_scale
from agnostic.draw import figure as draw_figure
from agnostic.draw.colour import BLUE, ORANGE, Colour
from agnostic.errors import UsageError
from agnostic.explanation import Explanation

if TYPE_CHECKING:
    from PIL.Image import Image

# A map that speaks against as well as for is drawn with signs; below this share of its peak, minus is noise.
NEGLIGIBLE = 0.05
COLUMNS = 4
WHITE: Colour = (255, 255, 255)

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
    rows = _rows(explanations, targets, accents)
    return draw_figure(rows, footer=footer(explanations), heading=heading, dark=dark)


def _check(explanations: Sequence[Explanation]) -> None:
    if not explanations:
        raise UsageError("there is no explanation to draw")
    first = _picture(explanations[0])
    if any(_picture(item) is not first and not np.array_equal(_picture(item), first) for item in explanations):
        raise UsageError("the explanations are of different pictures; draw one figure for each")


def _rows(
    explanations: Sequence[Explanation], targets: Sequence[str], accents: Mapping[str, Colour | None]
) -> list[list[Panel]]:
    """Lay panels in one row, or each target's in rows of its own that start with the picture."""
    shown, references = _input_panel(explanations, accents), _reference_panels(explanations)
    heats = [_heat_panel(item, _scale(item, explanations), accents[item.target]) for item in explanations]
    if len(explanations) == 1 and explanations[0].segments is not None:
        heats.append(_pieces_panel(explanations[0]))
    panels = [shown, *references, *heats]
    if len(panels) <= COLUMNS and len(references) <= 1:
        return [panels]
    rows = []
    for target in targets:
        own = [item for item in explanations if item.target == target]
        chosen = [panel for panel, item in zip(heats, explanations, strict=False) if item.target == target]
        block = [shown, *_reference_panels(own), *chosen]
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


def _input_panel(together: Sequence[Explanation], accents: Mapping[str, Colour | None]) -> Panel:
    first = together[0]
    return Panel(
        _picture(first), "input", str(first.meta.get("input", "")), marks=_marks(together, accents, named=True)
    )


def _reference_panels(together: Sequence[Explanation]) -> list[Panel]:
    """Show what the input is compared with, each once."""
    shown = {str(item.meta["reference_name"]): item.reference for item in together if item.reference is not None}
    return [Panel(picture, "compared with", name) for name, picture in shown.items()]


def _marks(together: Sequence[Explanation], accents: Mapping[str, Colour | None], *, named: bool) -> Marks | None:
    """Point at the boxes that are explained, more quietly at the others, and at the region that counts."""
    boxes = {number: box for item in together for number, box in enumerate(item.meta.get("boxes", ()))}
    colours = {at: accents.get(item.target) for item in together for at in item.meta.get("explained", ())}
    regions = {item.target: item.region.astype(np.bool_) for item in together if item.region is not None}
    if not boxes and not regions:
        return None
    shown = [
        BoxMark(tuple(box["box"]), _name(number, box) if named else "", number in colours, colours.get(number) or WHITE)
        for number, box in boxes.items()
    ]
    return Marks(tuple(shown), tuple(regions.values()))


def _name(number: int, box: Mapping[str, Any]) -> str:
    return f"box:{number} · {short(str(box['name']))} {box['score']:.2f}"


def _heat_panel(item: Explanation, scale: Scale, accent: Colour | None) -> Panel:
    return Panel(
        _picture(item),
        item.method,
        caption(item),
        values=item.values,
        segments=item.segments,
        style="heat",
        signed=scale.low < 0,
        scale=scale,
        accent=accent,
        marks=_marks([item], {item.target: accent}, named=False),
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


def caption(item: Explanation) -> str:
    """Target, probability, and the one number that says how far to trust the map."""
    if item.meta.get("class_agnostic"):
        # The map is the same for all targets: to name one would say that it is of that one.
        parts = ["any class"]
    elif item.meta.get("boxes") and len(item.meta.get("explained", ())) == 1:
        box = item.meta["boxes"][item.meta["explained"][0]]
        parts = [f"{item.target} · {short(str(box['name']))} {box['score']:.2f}"]
    elif item.reference is not None:
        parts = [f"{item.target} {item.meta['score']:.2f}"]
    elif item.meta.get("unit") is not None:
        parts = [f"{short(item.target)} {item.meta['score']:.4g} {item.meta['unit']}"]
    elif item.meta.get("probability") is None:
        parts = [short(item.target)]
    else:
        parts = [f"{short(item.target)} {item.meta['probability']:.2f}"]
    if item.meta.get("agreement") is not None:
        parts.append(f"agreement {item.meta['agreement']:.2f}")
    elif item.meta.get("parity") is not None:
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
    return target.split(", ")[0]


def _short_value(value: Any) -> str:
    """Say how long a mapping is, such as a prior, rather than all that is in it."""
    return f"of {len(value)} names" if isinstance(value, Mapping) else str(value)


def footer(explanations: Sequence[Explanation]) -> str:
    """Say what it takes to repeat explanations of one input: model, settings, seed."""
    meta = explanations[0].meta
    parts = [str(meta.get("model", "")), f"sha256 {str(meta.get('model_sha256', ''))[:12]}"]
    for item in {item.method: item for item in explanations}.values():
        given = {name: value for name, value in item.meta.get("settings", {}).items() if value is not None}
        settings = ", ".join(f"{name} {_short_value(value)}" for name, value in given.items())
        parts.append(f"{item.method} ({settings})" if settings else item.method)
    return " · ".join([*parts, f"seed {meta.get('seed', 0)}"])

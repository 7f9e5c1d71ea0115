"""Figures of explanations of a series: its curves, shaded by what each stretch counts for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agnostic.draw.axes import bound_of
from agnostic.draw.colour import BLUE, ORANGE, Colour
from agnostic.draw.curvechart import Curve, Shading, curve_chart
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery.pictures import caption, footer

if TYPE_CHECKING:
    from PIL.Image import Image

Values = npt.NDArray[np.float32]


def figure(explanations: Sequence[Explanation], *, heading: str = "", dark: bool = False) -> "Image":
    """Draw explanations of one series, each a column of shaded curves; those of one method share their scale.

    Args:
        explanations: of one sample, by any methods and for any targets.
        heading: one line above everything; the sample's name by default.
        dark: light on dark.

    Raises:
        UsageError: they are not of the same series.
    """
    first = explanations[0]
    data = _data(first)
    if any(not np.array_equal(_data(item), data) for item in explanations):
        raise UsageError("the explanations are of different series; draw one figure for each")
    targets = list(dict.fromkeys(item.target for item in explanations))
    accents: dict[str, Colour | None] = dict.fromkeys(targets)
    if len(targets) == 2:
        accents = dict(zip(targets, (ORANGE, BLUE), strict=True))
    shown = first.meta["shown"]
    labels = [_label(name, unit) for name, unit in zip(shown["channels"], _units(shown), strict=True)]
    columns = [_shading(item, explanations, accents[item.target]) for item in explanations]
    return curve_chart(
        [Curve(label, values) for label, values in zip(labels, data, strict=True)],
        columns,
        np.array(shown["starts"], np.int64),
        time=str(shown.get("time", "step")),
        heading=heading or str(first.meta.get("input", "")),
        footer=footer(explanations),
        dark=dark,
        column_width=1000 if len(columns) == 1 else 760,
    )


def _shading(item: Explanation, together: Sequence[Explanation], accent: Colour | None) -> Shading:
    values = _rows(item.values)
    bound = bound_of([other.values for other in together if other.method == item.method])
    return Shading(item.method, caption(item), values, bound, _numbers(item, values), accent)


def _numbers(item: Explanation, values: Values) -> Values | None:
    """What each piece counts for, one row for each of the values; None where the method scores no pieces."""
    starts = np.array(item.meta["shown"]["starts"], np.int64)
    is_scored = item.segments is not None or (
        item.weights is not None and item.weights.size == len(values) * len(starts)
    )
    if not is_scored or any((np.diff(part, axis=1) != 0).any() for part in np.split(values, starts[1:], axis=1)):
        return None
    return values[:, starts]


def _rows(values: Values) -> Values:
    return values[None] if values.ndim == 1 else values


def _data(item: Explanation) -> Values:
    if item.data is None:
        raise UsageError(f"{item!r} does not hold the series it is of; read its values instead")
    return _rows(item.data)


def _units(shown: dict[str, list[str]]) -> list[str]:
    return shown.get("units") or [""] * len(shown["channels"])


def _label(name: str, unit: str) -> str:
    return f"{name}, {unit}" if unit else name

"""Figures of explanations of a row or a sequence: bars beside the names and values of its pieces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.draw.axes import bound_of
from agnostic.draw.barchart import Bars, bar_chart
from agnostic.draw.colour import BLUE, ORANGE, Colour
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery.pictures import caption, footer

if TYPE_CHECKING:
    from PIL.Image import Image

# More bars than these are summed up in one, or left out where a sum says nothing.
MOST_BARS = 14
# Values that lead from the base value to the score within this share of the way add up.
_ADDS_UP = 0.01

Floats = npt.NDArray[np.float64]


class Pieces(NamedTuple):
    """The pieces of a sample: their names and what each holds, as text; no values where nothing is known of them."""

    names: list[str]
    values: list[str]


def figure(explanations: Sequence[Explanation], *, heading: str = "", dark: bool = False) -> "Image":
    """Draw explanations of one row, the pieces that count most on top.

    Where the values of an explanation add up, its bars stand end to end from the base value to the score. Two targets
    are marked orange and blue.

    Args:
        explanations: of one sample, by any methods and for any targets.
        heading: one line above everything; the sample's name by default.
        dark: light on dark.

    Raises:
        UsageError: they are not of the same sample.
    """
    pieces = pieces_of(explanations)
    weights = [weights_of(item) for item in explanations]
    starts = [start_of(item) for item in explanations]
    order = strongest(weights)
    shown, rest = order[:MOST_BARS], order[MOST_BARS:]
    summed = len(rest) > 0 and any(start is not None for start in starts)
    names = [pieces.names[at] for at in shown] + ([f"{len(rest)} others"] if summed else [])
    values = [pieces.values[at] for at in shown] if pieces.values else []
    targets = list(dict.fromkeys(item.target for item in explanations))
    accents: dict[str, Colour | None] = dict.fromkeys(targets)
    if len(targets) == 2:
        accents = dict(zip(targets, (ORANGE, BLUE), strict=True))
    columns = [
        Bars(
            item.method,
            caption(item),
            np.append(each[shown], each[rest].sum()) if summed and start is not None else each[shown],
            start,
            accents[item.target],
        )
        for item, each, start in zip(explanations, weights, starts, strict=True)
    ]
    left_out = f" · {len(rest)} that count less are left out" if len(rest) and not summed else ""
    return bar_chart(
        names, values, columns, heading=heading or str(explanations[0].meta.get("input", "")),
        footer=footer(explanations) + _off(explanations[0]) + left_out, dark=dark,
    )  # fmt: skip


def pieces_of(explanations: Sequence[Explanation]) -> Pieces:
    """The names and values of what explanations are about, which has to be the same for all.

    Raises:
        UsageError: it is not.
    """
    found = [_pieces(item) for item in explanations]
    if any(item != found[0] for item in found) or len({len(weights_of(item)) for item in explanations}) > 1:
        raise UsageError("the explanations are of different rows, or of other pieces of them; draw one figure for each")
    return found[0]


def _pieces(item: Explanation) -> Pieces:
    shown = item.meta.get("shown", {})
    if shown.get("kind") == "table":
        return Pieces(list(item.meta["feature_names"]), list(shown["values"]))
    if item.weights is not None and item.weights.size != item.values.size:
        return Pieces(list(item.meta["feature_names"]), [])
    indices = np.indices(item.values.shape).reshape(item.values.ndim, -1).T
    source = item.meta.get("source", "")
    names = [f"{source}[{', '.join(map(str, index))}]" for index in indices]
    data = item.data.ravel() if item.data is not None and item.data.size == len(names) else None
    return Pieces(names, [] if data is None else [f"{value:.6g}" for value in data])


def weights_of(item: Explanation) -> Floats:
    """What each piece counts for: (pieces,)."""
    return np.asarray(item.values if item.weights is None else item.weights, np.float64).ravel()


def start_of(item: Explanation) -> float | None:
    """The value from which the weights lead to the score, where they do add up; None elsewhere."""
    score = item.meta.get("score")
    if score is None or not np.isfinite(item.base_value):
        return None
    way = float(score) - item.base_value
    adds_up = abs(item.base_value + float(weights_of(item).sum()) - score) <= _ADDS_UP * abs(way) + 1e-6
    return item.base_value if adds_up else None


def strongest(weights: Sequence[Floats]) -> npt.NDArray[np.intp]:
    """Order pieces by the largest share they have in any explanation, the strongest first."""
    shares = [np.abs(each) / (bound_of([each]) or 1.0) for each in weights]
    return np.argsort(-np.max(shares, axis=0), kind="stable")


def _off(item: Explanation) -> str:
    off = item.meta.get("shown", {}).get("off")
    return f" · off: {off}" if off else ""

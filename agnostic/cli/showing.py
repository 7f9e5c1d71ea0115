"""What a terminal shows of an explanation: the pieces that count most, each with a bar.

A kind of sample is one function from an explanation to something that rich prints, found by the `kind` in
`meta["shown"]`; a kind that is not here is shown by its figure alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from agnostic.cli import common
from agnostic.draw.axes import bound_of, signed_number
from agnostic.draw.colour import CORAL, TEAL
from agnostic.explanation import Explanation
from agnostic.gallery.bars import pieces_of, strongest, weights_of

MOST = 10
_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉"


def terminal(item: Explanation) -> Any:
    """Lay an explanation out for a terminal; None where its kind has no such form."""
    make = KINDS.get(str(item.meta.get("shown", {}).get("kind", "")))
    return None if make is None else make(item)


def bars(item: Explanation) -> Any:
    """List the pieces that count most: name, value, weight and a bar, teal for and coral against."""
    pieces, weights = pieces_of([item]), weights_of(item)
    return _rows(item, pieces.names, pieces.values, weights)


def segments(item: Explanation) -> Any:
    """List the stretches of a series that count most; None where the method scores none."""
    if item.weights is None or len(item.meta["feature_names"]) != item.weights.size:
        return None
    return _rows(
        item, [f"{item.meta['shown']['time']} {name}" for name in item.meta["feature_names"]], [], weights_of(item)
    )


def _rows(item: Explanation, names: list[str], values: list[str], weights: Any) -> Any:
    bound = bound_of([weights]) or 1.0
    head = (f"{item.method} of {item.target}", *(("value",) if values else ()), "counts", "")
    rows = common.table(*head, right=("value", "counts"))
    for at in strongest([weights])[:MOST]:
        share, colour = float(np.abs(weights[at]) / bound), TEAL if weights[at] >= 0 else CORAL
        bar = common.plain(bar_of(share))
        bar.stylize(f"rgb({','.join(map(str, colour))})")
        value = [common.plain(values[at])] if values else []
        rows.add_row(common.plain(names[at]), *value, signed_number(float(weights[at])), bar)
    return rows


def bar_of(share: float) -> str:
    """Draw a share of the longest bar in blocks, to an eighth of one.

    >>> bar_of(0.5), bar_of(0.0), bar_of(1 / 48)
    ('████████████', '', '▌')
    """
    eighths = round(share * _WIDTH * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


KINDS: dict[str, Callable[[Explanation], Any]] = {"sequence": bars, "series": segments, "table": bars}

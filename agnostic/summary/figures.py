"""Figures of summaries: what matters, how much and which way; and the score along the values of single features."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from agnostic.draw.multiples import Curves, multiples
from agnostic.draw.ranking import Line, Swarm, ranking
from agnostic.gallery.pictures import short
from agnostic.summary.dependence import ranked
from agnostic.summary.record import Row, Summary
from agnostic.summary.tally import Numbers

if TYPE_CHECKING:
    from PIL.Image import Image

TOP, TOP_CURVES, TOP_CLUSTERS = 20, 9, 12
_MEASURES = {"loss": "rise of the loss", "accuracy": "fall of the accuracy", "change": "change of the score"}


def figure(summary: Summary, *, dark: bool = False, top: int | None = None) -> "Image":
    """Draw a summary of any kind; see `Summary.figure`."""
    draw = {"attributions": _attributions, "importance": _importance, "dependence": _dependence}
    return draw[summary.kind](summary, dark, top)


def _attributions(summary: Summary, dark: bool, top: int | None) -> "Image":
    samples = len(summary.arrays["score"])
    examples = summary.arrays.get("examples")
    rows = summary.rows()[: top or (TOP if examples is None else TOP_CLUSTERS)]
    lines = [_line(summary, row, samples) for row in rows]
    valued = any(line.swarm is not None and np.isfinite(line.swarm.shares).any() for line in lines)
    return ranking(
        lines,
        ["mean |weight|" + (" if present" if any(line.note for line in lines) else "")],
        swarm_title="against < each input's weight > for",
        value_title="value of the feature" if valued else "",
        heading=f"{summary.method} for {short(summary.target)} over {samples} inputs",
        footer=_footer(summary),
        dark=dark,
    )


def _line(summary: Summary, row: Row, samples: int) -> Line:
    at = summary.identities.index(row["feature"])
    mine = summary.arrays["feature"] == at
    weights, values = summary.arrays["weight"][mine], summary.arrays["value"][mine].astype(np.float64)
    examples = summary.arrays.get("examples")
    return Line(
        row["feature"],
        (row["size"],),
        swarm=Swarm(weights.astype(np.float64), _shares(values)),
        note="" if row["samples"] == samples else f"in {row['samples']} of {samples}",
        pictures=None if examples is None else examples[at].astype(np.uint8),
    )


def _shares(values: Numbers) -> Numbers:
    """Where each value lies between the fifth and the ninety-fifth percentile, 0..1; NaN where it is no number."""
    known = values[np.isfinite(values)]
    if not known.size or np.ptp(known) == 0:
        return np.full(len(values), np.nan)
    low, high = np.percentile(known, [5, 95])
    if high == low:
        low, high = float(known.min()), float(known.max())
    shares: Numbers = np.clip((values - low) / (high - low), 0, 1)
    return shares


def _importance(summary: Summary, dark: bool, top: int | None) -> "Image":
    measures = [name for name in _MEASURES if name in summary.arrays]
    lines = [
        Line(
            row["feature"],
            tuple(row[name] for name in measures),
            tuple(row[f"{name}_spread"] for name in measures),
        )
        for row in summary.rows()[: top or TOP]
    ]
    own = ", ".join(f"{name} {summary.meta[name]:.3g}" for name in ("loss", "accuracy") if name in summary.meta)
    return ranking(
        lines,
        [_MEASURES[name] for name in measures],
        heading=f"{short(summary.target)}: what shuffling costs ({own or str(summary.meta['rows']) + ' inputs'})",
        footer=_footer(summary),
        dark=dark,
    )


def _dependence(summary: Summary, dark: bool, top: int | None) -> "Image":
    panels = [_panel(summary, at) for at in ranked(summary)[: top or TOP_CURVES]]
    centred = summary.meta["settings"].get("centred")
    what = "the mean score" if summary.method == "pdp" else "the score of each input, and the mean"
    return multiples(
        panels,
        heading=f"{summary.method}: {short(summary.target)} along each feature",
        note=f"{what}, as all of {summary.meta['rows']} inputs take one value after another"
        + (", from where the curve starts" if centred else ""),
        footer=_footer(summary),
        dark=dark,
    )


def _panel(summary: Summary, at: int) -> Curves:
    arrays = {name: value.astype(np.float64) for name, value in summary.arrays.items()}
    grid = arrays["grid"][at]
    known = np.isfinite(grid)
    curves = arrays.get("curves")
    name = summary.identities[at]
    return Curves(
        name,
        grid[known],
        arrays["mean"][at, known],
        None if curves is None else curves[at][:, known],
        arrays["own"][at],
        tuple(summary.meta.get("categories", {}).get(name, ())),
    )


def _footer(summary: Summary) -> str:
    meta = summary.meta
    parts = [str(meta.get("model", "")), f"sha256 {str(meta.get('model_sha256', ''))[:12]}"]
    settings = ", ".join(f"{name} {_said(value)}" for name, value in meta.get("settings", {}).items())
    clusters = [f"{meta['clusters']} clusters by {meta['layer']}"] if "clusters" in meta else []
    return " · ".join([*parts, f"{summary.method} ({settings})", *clusters, f"seed {meta.get('seed', 0)}"])


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"of {len(value)} names"
    return ",".join(map(str, value)) or "all" if isinstance(value, list | tuple) else str(value)

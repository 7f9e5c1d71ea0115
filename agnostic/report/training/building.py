"""Build the page of a training run, or of what influences some predictions, into a folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import agnostic
from agnostic.report.microscope.folder import STATE, Folder
from agnostic.report.microscope.folder import STATIC as LOOK
from agnostic.report.training.samples import SHARD, choose, columns, histories, orders
from agnostic.report.training.sheets import CELL, sheet_of
from agnostic.training.data import Shown, TrainingSet
from agnostic.training.dynamics import Dynamics
from agnostic.training.influence import Influence
from agnostic.training.ranking import Ranking
from agnostic.training.run import Run
from agnostic.training.store import Ints

FORMAT = "agnostic.training-page.1"
STATIC = Path(__file__).parent / "static"
#: What the microscope's pages have in common with these: the look, and the machinery below it.
SHARED = ("style.css", "store.js", "dom.js", "state.js", "pointing.js", "colour.js", "parts.js")
KEPT = 3000
#: Samples that a page shows on either side of an influence.
EACH_WAY = 60


@dataclass(frozen=True)
class Asked:
    """What was asked about, and which samples made it what it is.

    Attributes:
        influence: the answer.
        shown: what a person sees of each input.
        kind: how it was found, in a word or two.
    """

    influence: Influence
    shown: tuple[Shown, ...]
    kind: str


@dataclass(frozen=True)
class Site:
    """What the page is of.

    Attributes:
        name: of the run or model.
        classes: what the classes are called; numbers where that is not known.
        count: how many samples there are.
        data: the training set; without it samples are shown by number.
        run: what was recorded; None where only influence was asked for.
        dynamics: what is known of its samples.
        rankings: their orders.
        asked: what was asked about.
        command: the command line that makes this page again.
        notes: what a reader should know, one line each.
    """

    name: str
    classes: tuple[str, ...]
    count: int
    data: TrainingSet | None = None
    run: Run | None = None
    dynamics: Dynamics | None = None
    rankings: tuple[Ranking, ...] = ()
    asked: tuple[Asked, ...] = ()
    command: str = ""
    notes: tuple[str, ...] = ()


def build(site: Site, out: Path, *, keep: int = KEPT) -> Path:
    """Write the page; give the path of its `index.html`.

    Args:
        site: what it is of.
        out: the folder: empty, or one that such a page was written to before.
        keep: samples with picture and history at most; all others are points and numbers.

    Raises:
        UsageError: the folder holds something else.
        LimitError: it cannot be written to.
    """
    folder = Folder(out, FORMAT)
    folder.write(STATE, json.dumps({"format": FORMAT}).encode())
    kept = choose(site.dynamics, site.rankings, _asked_for(site), keep, site.count)
    folder.put("site", _facts(site, len(kept)), "data/site.js")
    labels = site.data.labels if site.data is not None else np.full(site.count, -1)
    points = {"label": labels} if site.dynamics is None else columns(site.dynamics)
    folder.put("points", {**points, **orders(site.rankings, kept, site.count)}, "data/points.js")
    _write_samples(folder, site, kept)
    _write_asked(folder, site)
    folder.copy_pages([*(LOOK / name for name in SHARED), *sorted(STATIC.iterdir())])
    return folder.root / "index.html"


def _asked_for(site: Site) -> Ints:
    """The samples that answer what was asked: the first and last of each order."""
    found = [
        order
        for asked in site.asked
        for query in range(len(asked.influence.values))
        for order in (asked.influence.order(query)[:EACH_WAY], asked.influence.order(query)[-EACH_WAY:])
    ]
    return np.unique(np.concatenate(found)) if found else np.array([], np.int64)


def _facts(site: Site, kept: int) -> dict[str, Any]:
    return {
        "made": f"agnostic {agnostic.__version__}",
        "model": {"name": site.name},
        "samples": site.count,
        "kept": kept,
        "epochs": site.run.epochs if site.run is not None else 0,
        "classes": site.classes,
        "pictures": site.data is not None,
        "names": site.data.names if site.data is not None and kept == site.count else None,
        "cell": CELL,
        "shard": SHARD,
        "rankings": [
            {"name": item.name, "note": item.note, "flagged": int(item.flagged.sum()), "threshold": item.threshold}
            for item in site.rankings
        ],
        "queries": [
            {"kind": asked.kind, "name": name, "target": target, "meta": dict(asked.influence.meta)}
            for asked in site.asked
            for name, target in zip(asked.influence.names, asked.influence.targets, strict=True)
        ],
        "command": site.command,
        "notes": site.notes,
    }


def _write_samples(folder: Folder, site: Site, kept: Ints) -> None:
    told = histories(site.run, kept) if site.run is not None else [{}] * len(kept)
    for shard in range(-(-len(kept) // SHARD)):
        part = slice(shard * SHARD, (shard + 1) * SHARD)
        ids = kept[part]
        shown = [site.data.shown(int(number)) if site.data is not None else Shown() for number in ids]
        made = sheet_of(shown)
        if made.jpeg:
            folder.write(f"data/samples-{shard}.jpg", made.jpeg)
        names = site.data.names if site.data is not None else None
        rows = [
            {"id": int(number), **row, **({"history": past} if past else {}), **_named(names, int(number))}
            for number, row, past in zip(ids, made.samples, told[part], strict=True)
        ]
        folder.put(f"samples/{shard}", {"columns": made.columns, "rows": rows}, f"data/samples-{shard}.js")


def _named(names: Sequence[str] | None, number: int) -> dict[str, str]:
    return {} if names is None else {"name": names[number]}


def _write_asked(folder: Folder, site: Site) -> None:
    number = 0
    for asked in site.asked:
        made = sheet_of(list(asked.shown))
        if made.jpeg:
            folder.write(f"data/asked-{number}.jpg", made.jpeg)
        for query, row in enumerate(made.samples):
            values = asked.influence.values[query]
            order = asked.influence.order(query)
            up = [int(at) for at in order[:EACH_WAY] if values[at] > 0]
            down = [int(at) for at in order[::-1][:EACH_WAY] if values[at] < 0]
            value = {
                "shown": {**row, "sheet": number - query if made.jpeg else None, "columns": made.columns},
                "up": [[at, values[at]] for at in up],
                "down": [[at, values[at]] for at in down],
                "total": [float(values[values > 0].sum()), float(values[values < 0].sum())],
            }
            folder.put(f"asked/{number}", value, f"data/asked-{number}.js")
            number += 1

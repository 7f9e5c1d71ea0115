"""`agnostic demo`: one picture with a cat and a cup of coffee, one model, and why it says both."""

import time
from pathlib import Path
from typing import Any

from agnostic import api, models
from agnostic.cli import common
from agnostic.cli.explaining import save_figure
from agnostic.cli.saying import predictions_table
from agnostic.engine.opening import load
from agnostic.explanation import Explanation
from agnostic.gallery import short
from agnostic.methods import get

METHODS = ("lime", "occlusion", "rise", "scorecam", "cam", "ablationcam", "kernelshap")
CAT, COFFEE = "Egyptian cat vs rest", "coffee mug vs rest"


def demo(out: Path, *, as_json: bool, quiet: bool, seed: int) -> int:
    """Write a figure per method for both things in the picture, and one of all of them."""
    common.output_folder(out)
    started = time.perf_counter()
    model, picture = load("squeezenet"), models.picture("cat_and_coffee")
    with common.progress(quiet) as bars:
        found = {name: _explain(model, picture, name, bars(name), seed) for name in METHODS}
    figures = [_save(found[name], out / f"cat_and_coffee.{name}.png") for name in METHODS]
    everything = [item for name in METHODS for item in found[name]]
    figures.append(_save(everything, out / "cat_and_coffee.png"))
    sample = api.prepare(model, picture, get("cam"))
    predictions = [item.as_dict() for item in api.predict(model, sample)]
    report = {"model": model.name, "predictions": predictions, "figures": [str(path) for path in figures]}
    if as_json:
        common.print_json({**report, "explanations": [_line(item) for item in everything]})
    else:
        _print(report, found, time.perf_counter() - started)
    return 0


def _explain(model: Any, picture: Path, name: str, progress: common.Progress, seed: int) -> list[Explanation]:
    method = get(name)
    sample = api.prepare(model, picture, method, seed=seed)
    return api.answer(model, sample, method, (CAT, COFFEE), {}, seed=seed, progress=progress)


def _save(found: list[Explanation], path: Path) -> Path:
    save_figure(found, path)
    return path


def _line(item: Explanation) -> dict[str, Any]:
    return {key: item.meta[key] for key in ("evaluations", "seconds")} | {"method": item.method, "target": item.target}


def _print(report: dict[str, Any], found: dict[str, list[Explanation]], seconds: float) -> None:
    console = common.stdout()
    console.print(f"[bold]cat_and_coffee.png[/bold]  {report['model']}", markup=True)
    console.print(predictions_table("classes", report["predictions"]))
    rows = common.table("method", "explains", "passes", "seconds", right=("passes", "seconds"))
    for name, items in found.items():
        meta = items[0].meta
        what = " and ".join(short(item.target) for item in items)
        rows.add_row(name, what, str(meta["evaluations"]), f"{meta['seconds']:.1f}")
    console.print(rows)
    for path in report["figures"]:
        console.print(f"wrote {path}", style="dim", markup=False)
    console.print(
        f"done in {seconds:.0f} s; now your own: agnostic explain MODEL.onnx PICTURE --method lime", markup=False
    )

"""`agnostic explain MODEL INPUT --consensus OTHER`: what several models have in common in why they say it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agnostic import agreement
from agnostic.cli import common
from agnostic.cli.explaining import Bars, Item, Report, Request, save_image, slug
from agnostic.cli.settings import Tokens
from agnostic.engine.model import Model
from agnostic.gallery import is_drawn, short
from agnostic.methods import Method


def agree(request: Request, models: Sequence[Model], tokens: Tokens, item: Item, bars: Bars) -> Report:
    """Explain one input by each method and for each target on all models, and write what they have in common."""
    reports = [
        _agree_on(request, models, method, settings, target, item, bars)
        for method, settings in tokens.methods
        for target in request.targets or (None,)
    ]
    report = {"input": item.name, "consensus": reports}
    if not request.as_json:
        _print(report)
    return report


def _agree_on(
    request: Request,
    models: Sequence[Model],
    method: Method,
    settings: dict[str, Any],
    target: str | None,
    item: Item,
    bars: Bars,
) -> Report:
    found = agreement.consensus(
        models, item.given, method.name, target, at=request.at, source=request.source, features=request.features,
        fill=request.fill, baseline=request.baseline, row=item.row, background=request.background,
        seed=request.seed, batch_size=request.batch_size, progress=bars(f"{item.name} {method.name}"), **settings,
    )  # fmt: skip
    middle = f".{slug(found.explanation.target)}" if len(request.targets) > 1 else ""
    start = request.out / f"{item.stem}.consensus.{method.name}{middle}"
    files = [_written(found, start.with_name(f"{start.name}.safetensors"))]
    if is_drawn(found.explanation):
        files.append(start.with_name(f"{start.name}.png"))
        save_image(found.figure(dark=request.dark), files[-1])
    head = {"method": method.name, "target": found.explanation.target, "models": found.explanation.meta["models"]}
    return {**head, "files": [str(path) for path in files]}


def _written(found: agreement.Consensus, path: Path) -> Path:
    found.explanation.save(path)
    return path


def _print(report: Report) -> None:
    console = common.stdout()
    console.print(f"[bold]{report['input']}[/bold]", markup=True)
    rows = common.table("method", "target", "model", "score", "agreement", right=("score", "agreement"))
    for item in report["consensus"]:
        for model in item["models"]:
            target = short(item["target"])
            rows.add_row(item["method"], target, model["model"], f"{model['score']:.5g}", f"{model['agreement']:.2f}")
    console.print(rows)
    for item in report["consensus"]:
        for path in item["files"]:
            console.print(f"wrote {path}", style="dim", markup=False)

"""The command `summarize`. Importing this module adds it to the app."""

from pathlib import Path
from typing import Annotated

import typer

from agnostic.cli.app import app
from agnostic.cli.options import (
    AllowParity,
    BatchSize,
    Channels,
    CustomOps,
    DeviceOption,
    Json,
    LabelsFile,
    LayoutOption,
    MaxMemory,
    Mean,
    ModelArgument,
    Quiet,
    RawOutput,
    Resize,
    Scale,
    Seed,
    Size,
    Std,
    StraightThrough,
    Timeout,
    opening,
)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def summarize(
    context: typer.Context,
    model: ModelArgument,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT…", help="A folder of pictures, a table, a .txt of lines, .npy rows, or files."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", "-m", help="Of one input, as lime or normlime, or of data sets, as pdp.")
    ] = "lime",
    target: Annotated[
        list[str] | None,
        typer.Option("--target", "-t", help="As for explain, or each; every input's own top class by default."),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option("--truth", metavar="FILE|COLUMN", help="The right answers, for the rise of the loss."),
    ] = None,
    clusters: Annotated[
        int,
        typer.Option("--clusters", min=0, metavar="N", help="Group pieces of pictures by what is seen in them."),
    ] = 0,
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="LAYER", help="The layer that sees it; the last map by default.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where figures and records go.")] = Path(),
    features: Annotated[str | None, typer.Option("--features", help="The pieces, as for explain.")] = None,
    fill: Annotated[str | None, typer.Option("--fill", help="Where a piece is off, as for explain.")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="NAME", help="The input to explain.")] = None,
    baseline: Annotated[
        float | None, typer.Option("--baseline", help="Where an entry of an array, or a column, is off.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="A text; may be repeated.")] = None,
    background: Annotated[
        Path | None, typer.Option("--background", metavar="FILE", help="Rows that stand in for columns that are off.")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Draw light on dark.")] = False,
    json: Json = False,
    seed: Seed = 0,
    device: DeviceOption = "auto",
    batch_size: BatchSize = None,
    timeout: Timeout = None,
    max_memory: MaxMemory = None,
    quiet: Quiet = False,
    labels: LabelsFile = None,
    channels: Channels = None,
    layout: LayoutOption = None,
    size: Size = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    resize: Resize = None,
    raw_output: RawOutput = False,
    allow_custom_ops: CustomOps = False,
    straight_through: StraightThrough = False,
    allow_parity: AllowParity = False,
) -> int:
    """Sum up what METHOD finds over many INPUTs, or ask a method of data sets; writes a prior for glime too.

    The options of a method are given the same way (--repeats 10); `agnostic methods METHOD` lists them.
    """
    from agnostic.cli import summarizing

    how = opening(
        labels=labels, channels=channels, layout=layout, size=size, scale=scale, mean=mean, std=std, resize=resize,
        device=device, raw_output=raw_output, allow_custom_ops=allow_custom_ops, straight_through=straight_through,
        allow_parity=allow_parity,
    )  # fmt: skip
    request = summarizing.Request(
        model=model, tokens=(*(inputs or ()), *context.args), method=method, targets=tuple(target or ()), truth=truth,
        clusters=clusters, layer=layer, out=out, features=features, fill=fill, source=source, baseline=baseline,
        texts=tuple(text or ()), background=background, dark=dark, as_json=json, seed=seed, batch_size=batch_size,
        timeout=timeout, max_memory=max_memory, quiet=quiet, opening=how,
    )  # fmt: skip
    return summarizing.summarize(request)

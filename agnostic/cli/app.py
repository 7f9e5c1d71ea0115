"""The commands and their options. What they do is imported when one runs, so that --help is instant."""

from pathlib import Path
from typing import Annotated

import typer

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

app = typer.Typer(
    name="agnostic",
    help="Why did this model say that, and what has it learned? Point it at any .onnx file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def version(show: bool) -> None:
    """Print the version and leave."""
    if show:
        import agnostic

        typer.echo(f"agnostic {agnostic.__version__}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Why did this model say that, and what has it learned? Point it at any .onnx file.

    --debug anywhere on the line shows the traceback of an error.
    """


@app.command()
def inspect(
    model: ModelArgument,
    json: Json = False,
    labels: LabelsFile = None,
    channels: Channels = None,
    layout: LayoutOption = None,
    size: Size = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    resize: Resize = None,
    allow_custom_ops: CustomOps = False,
    quiet: Quiet = False,
) -> int:
    """Show a model's inputs, outputs, preprocessing, labels and every layer."""
    from agnostic.cli import inspecting

    how = opening(
        labels=labels, channels=channels, layout=layout, size=size, scale=scale, mean=mean, std=std, resize=resize,
        allow_custom_ops=allow_custom_ops,
    )  # fmt: skip
    return inspecting.inspect(model, how, as_json=json)


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(metavar="[METHOD|MODEL]", help="A method's name, or a model.")] = None,
    json: Json = False,
) -> int:
    """List the methods; with a METHOD its options, with a MODEL which can run on it and why not the rest."""
    from agnostic.cli import inspecting

    return inspecting.methods(name, as_json=json)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def explain(
    context: typer.Context,
    model: ModelArgument,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT…", help="Pictures, tables, texts or .npy arrays; NAME=VALUE for other inputs."),
    ] = None,
    method: Annotated[
        str, typer.Option("--method", "-m", help="One of `agnostic methods`, or several: a,b,c.")
    ] = "lime",
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "-t",
            help="Class name or number, 'tabby vs rest', 'tabby - espresso', layer:unit; may be repeated.",
        ),
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="LAYER", help="The layer to explain at.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where figures and records go.")] = Path(),
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            help="A picture's: superpixels:N, grid:N, a label map (.npy, .png); a text's: words, tokens, sentences; "
            "a row's: columns, groups, bins:N; a series': changes:N, windows:N, steps.",
        ),
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(
            "--fill",
            help="Where a piece is off: of a picture blur, mean, noise, zero, a colour; of a text remove, mask, "
            "unknown, pad; of a series mean, line, zero, noise.",
        ),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="NAME", help="The input to explain.")] = None,
    baseline: Annotated[
        float | None, typer.Option("--baseline", help="Where an entry of an array, or a column, is off.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="A text to explain; may be repeated.")] = None,
    row: Annotated[
        str | None,
        typer.Option(
            "--row", metavar="N", help="The row of a table, or line of a .txt, from 0; or several: 3,7 or 0-4."
        ),
    ] = None,
    background: Annotated[
        Path | None, typer.Option("--background", metavar="FILE", help="Rows that stand in for columns that are off.")
    ] = None,
    consensus: Annotated[
        list[str] | None,
        typer.Option("--consensus", metavar="OTHER", help="Another model to average with; may be repeated."),
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
    """Explain why MODEL gives a score to a target on each INPUT.

    The options of a method are given the same way (--samples 500); `agnostic methods METHOD` lists them.
    """
    from agnostic.cli import explaining

    how = opening(
        labels=labels, channels=channels, layout=layout, size=size, scale=scale, mean=mean, std=std, resize=resize,
        device=device, raw_output=raw_output, allow_custom_ops=allow_custom_ops, straight_through=straight_through,
        allow_parity=allow_parity,
    )  # fmt: skip
    request = explaining.Request(
        model=model, tokens=(*(inputs or ()), *context.args), methods=method, targets=tuple(target or ()), at=at,
        out=out, features=features, fill=fill, source=source, baseline=baseline, texts=tuple(text or ()),
        rows=explaining.read_rows(row), background=background, consensus=tuple(consensus or ()), dark=dark,
        as_json=json, seed=seed,
        batch_size=batch_size, timeout=timeout, max_memory=max_memory, quiet=quiet, opening=how,
    )  # fmt: skip
    return explaining.explain(request)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the figures go.")] = Path("demo"),
    json: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> int:
    """Explain the embedded picture with the embedded model: a cat, a cup of coffee, and why it says both."""
    from agnostic.cli import demonstrating

    return demonstrating.demo(out, as_json=json, quiet=quiet, seed=seed)


@app.command()
def doctor(json: Json = False) -> int:
    """Check the installation: packages, onnxruntime, devices, kernels, and a real prediction."""
    from agnostic.cli import checking

    return checking.doctor(as_json=json)

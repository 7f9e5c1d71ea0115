"""The commands and their options. What they do is imported when one runs, so that --help is instant."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="agnostic",
    help="Why did this model say that, and what has it learned? Point it at any .onnx file.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="An .onnx file, what `convert` reads, a folder of either, or an embedded model's name."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, everything else on stderr.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
DeviceOption = Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where the model runs.")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", min=1, help="Rows per run of the model.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.001, help="Seconds after which to stop.")]
MaxMemory = Annotated[
    int | None, typer.Option("--max-memory", min=1, help="Megabytes the command may take beyond what it starts with.")
]
RawOutput = Annotated[bool, typer.Option("--raw-output", help="Explain outputs as they are, softmax included.")]
CustomOps = Annotated[bool, typer.Option("--allow-custom-ops", help="Accept operators of unknown domains.")]
StraightThrough = Annotated[
    bool, typer.Option("--straight-through", help="Differentiate rounding as the identity: an estimate.")
]
AllowParity = Annotated[
    bool, typer.Option("--allow-parity", help="Give gradients even where the re-import differs from onnxruntime.")
]
LabelsFile = Annotated[Path | None, typer.Option("--labels", help="Class names: one a line, or JSON.")]
Channels = Annotated[str | None, typer.Option("--channels", metavar="RGB|BGR|RGBA|L", help="Channels the model eats.")]
LayoutOption = Annotated[str | None, typer.Option("--layout", metavar="NCHW|NHWC|NHW", help="Axes of its input.")]
Size = Annotated[str | None, typer.Option("--size", metavar="H,W", help="Size of its input.")]
Scale = Annotated[float | None, typer.Option("--scale", help="What pixels 0..255 are multiplied by.")]
Mean = Annotated[str | None, typer.Option("--mean", metavar="M,M,M", help="What is then taken off, per channel.")]
Std = Annotated[str | None, typer.Option("--std", metavar="S,S,S", help="What that is divided by, per channel.")]
Resize = Annotated[str | None, typer.Option("--resize", metavar="squash|crop|pad", help="How pictures are fitted.")]


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


def _opening(**values: Any) -> dict[str, Any]:
    """Gather the options that say how a model is opened."""
    from agnostic.cli.common import opening

    return opening(**values)


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

    how = _opening(
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

    how = _opening(
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


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def visualize(
    context: typer.Context,
    model: ModelArgument,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LAYER:UNIT…", help="Units, neurons (layer:unit@y,x), classes; layers for some recipes."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="One of `agnostic recipes`; unit by default, or class where all are."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="draft, icon, large, print, maco; the recipe's own.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=8, max=4096, metavar="N", help="Sides of the picture in pixels.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, metavar="N", help="Steps of the optimiser.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Where a recipe starts from one.")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="Your own pictures, to judge rendered ones beside.")
    ] = None,
    colours: Annotated[
        str, typer.Option("--colours", metavar="photo|images|none", help="Whose colours the picture has.")
    ] = "photo",
    layer: Annotated[
        str | None, typer.Option("--all", metavar="LAYER", help="Every unit of a layer on one sheet; resumes.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where pictures and records go.")] = Path(),
    value_range: Annotated[
        str | None, typer.Option("--range", metavar="LOW,HIGH", help="What 0 and 1 become; inputs of other channels.")
    ] = None,
    bands: Annotated[
        str | None, typer.Option("--bands", metavar="R,G,B", help="The channels shown, where they are no colours.")
    ] = None,
    columns: Annotated[int | None, typer.Option("--columns", min=1, metavar="N", help="Pictures per row.")] = None,
    post_activation: Annotated[
        bool, typer.Option("--post-activation", help="Maximise units behind their activation function.")
    ] = False,
    redirect_steps: Annotated[
        int, typer.Option("--redirect-steps", min=0, metavar="N", help="Steps with gradients through dead ReLUs.")
    ] = 16,
    smooth_pool: Annotated[
        bool, typer.Option("--smooth-pool", help="Spread the gradient of max-pooling over its window.")
    ] = False,
    dark: Annotated[bool, typer.Option("--dark", help="Draw the sheet light on dark.")] = False,
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
    input_size: Annotated[
        str | None, typer.Option("--input-size", metavar="H,W", help="Size of the model's input.")
    ] = None,
    scale: Scale = None,
    mean: Mean = None,
    std: Std = None,
    resize: Resize = None,
    raw_output: RawOutput = False,
    allow_custom_ops: CustomOps = False,
    straight_through: StraightThrough = False,
    allow_parity: AllowParity = False,
) -> int:
    """Render what a unit of MODEL has learned to see, with its recipe and its numbers.

    A recipe's own options are given the same way (--sign negative); `agnostic recipes RECIPE` lists them.
    """
    from agnostic.cli import visualizing

    how = _opening(
        labels=labels, channels=channels, layout=layout, size=input_size, scale=scale, mean=mean, std=std,
        resize=resize, device=device, raw_output=raw_output, allow_custom_ops=allow_custom_ops,
        straight_through=straight_through, allow_parity=allow_parity,
    )  # fmt: skip
    request = visualizing.Request(
        model=model, tokens=(*(targets or ()), *context.args), recipe=recipe, preset=preset, size=size, steps=steps,
        picture=picture, images=images, colours=colours, layer=layer, out=out, value_range=value_range, bands=bands,
        columns=columns, post_activation=post_activation, redirect_steps=redirect_steps, smooth_pool=smooth_pool,
        dark=dark, as_json=json, seed=seed, batch_size=batch_size, timeout=timeout, max_memory=max_memory,
        quiet=quiet, opening=how,
    )  # fmt: skip
    return visualizing.visualize(request)


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[RECIPE]", help="A recipe's name.")] = None,
    json: Json = False,
) -> int:
    """List what `visualize` can render; with a RECIPE its options."""
    from agnostic.cli import listing

    return listing.show_recipes(name, as_json=json)


@app.command()
def microscope(
    model: ModelArgument,
    images: Annotated[
        Path, typer.Option("--images", metavar="DIR", help="Your pictures: examples of what each unit answers to.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="SITE", help="The site: an empty folder, or one to go on with.")
    ] = Path("microscope"),
    show: Annotated[
        list[Path] | None,
        typer.Option("--show", metavar="PICTURE", help="A picture with pages of its own; may be repeated."),
    ] = None,
    layers: Annotated[
        str | None, typer.Option("--layers", metavar="A,B,…", help="The layers of those pages; some of each depth.")
    ] = None,
    icons: Annotated[
        list[str] | None,
        typer.Option("--icons", metavar="LAYER|all|none", help="A layer whose units are rendered; may be repeated."),
    ] = None,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="How much work an icon is worth; see `agnostic recipes`.")
    ] = "draft",
    compare: Annotated[
        str | None, typer.Option("--compare", metavar="OTHER.onnx", help="A model whose units are matched with these.")
    ] = None,
    atlas: Annotated[
        list[str] | None, typer.Option("--atlas", metavar="LAYER", help="A layer laid out over all pictures.")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--groups", metavar="LAYER", help="A layer grouped over all pictures.")
    ] = None,
    dreams: Annotated[
        list[str] | None,
        typer.Option("--dreams", metavar="LAYER", help="A layer whose dreams and groups are drawn on your pictures."),
    ] = None,
    variants: Annotated[
        list[str] | None,
        typer.Option("--variants", metavar="LAYER:UNIT", help="A unit whose opposite and facets are rendered."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Then serve the site on this machine; its pages render on demand.")
    ] = False,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where it is served.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0 for any that is free.")] = 8017,
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
    """Write a site on MODEL: its layers, every unit, and what both make of your pictures; it resumes.

    Pages that need gradients are left out where torch is not installed.
    """
    from agnostic.cli import microscoping

    how = _opening(
        labels=labels, channels=channels, layout=layout, size=size, scale=scale, mean=mean, std=std, resize=resize,
        device=device, raw_output=raw_output, allow_custom_ops=allow_custom_ops, straight_through=straight_through,
        allow_parity=allow_parity,
    )  # fmt: skip
    request = microscoping.Request(
        model=model, images=images, out=out, show=tuple(show or ()), layers=layers, icons=tuple(icons or ()),
        preset=preset, compare=compare, atlas=tuple(atlas or ()), groups=tuple(groups or ()),
        dreams=tuple(dreams or ()), variants=tuple(variants or ()), serve=serve, host=host, port=port, as_json=json,
        seed=seed, batch_size=batch_size, timeout=timeout, max_memory=max_memory, quiet=quiet, opening=how,
    )  # fmt: skip
    return microscoping.microscope(request)


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

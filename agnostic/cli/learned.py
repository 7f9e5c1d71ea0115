"""The commands that show what a model has learned: `visualize`, `recipes`, `microscope`. Importing it adds them."""

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

    how = opening(
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

    how = opening(
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

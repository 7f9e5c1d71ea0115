"""The commands `convert` and `environments`. Importing this module adds them to the app."""

from pathlib import Path
from typing import Annotated

import typer

from agnostic.cli.app import app
from agnostic.cli.options import (
    Channels,
    Json,
    LabelsFile,
    LayoutOption,
    MaxMemory,
    Mean,
    Quiet,
    Resize,
    Scale,
    Seed,
    Size,
    Std,
    Timeout,
    opening,
)


@app.command()
def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A model file or folder of another framework, or FILE.py:NAME to run."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.onnx", help="The file to write.")],
    example: Annotated[
        list[str] | None,
        typer.Option("--example", metavar="[NAME=]FILE", help="Rows it takes: .npy, .csv or .txt; may be repeated."),
    ] = None,
    input_shape: Annotated[
        list[str] | None,
        typer.Option("--input-shape", metavar="3,224,224", help="Sizes behind the batch axis; may be repeated."),
    ] = None,
    framework: Annotated[
        str | None, typer.Option("--framework", metavar="NAME", help="Where it comes from, if that cannot be told.")
    ] = None,
    isolate: Annotated[
        bool, typer.Option("--isolate", help="In a private environment, made the first time (fetches packages).")
    ] = False,
    opset: Annotated[
        int | None, typer.Option("--opset", min=7, metavar="N", help="Version of the operators to write.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0, help="The largest accepted difference, as a part of the output.")
    ] = 1e-4,
    json: Json = False,
    seed: Seed = 0,
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
) -> int:
    """Turn SOURCE, a model of another framework, into ONNX, and compare the two.

    torch (.pt2, TorchScript), Keras and TensorFlow (.keras, .h5, SavedModel, .tflite), scikit-learn (.skops, .joblib,
    .pkl), XGBoost, LightGBM, CatBoost, PaddlePaddle, Hugging Face folders, and JAX as FILE.py:NAME.
    """
    from agnostic.cli import converting

    how = opening(
        labels=labels, channels=channels, layout=layout, size=size, scale=scale, mean=mean, std=std, resize=resize,
    )  # fmt: skip
    request = converting.Request(
        source=source, out=out, examples=tuple(example or ()), shapes=tuple(input_shape or ()), framework=framework,
        isolate=isolate, opset=opset, tolerance=tolerance, seed=seed, timeout=timeout, max_memory=max_memory,
        as_json=json, quiet=quiet, opening=how,
    )  # fmt: skip
    return converting.convert(request)


@app.command()
def environments(
    remove: Annotated[
        str | None, typer.Option("--remove", metavar="NAME|all", help="Remove an environment, or all of them.")
    ] = None,
    json: Json = False,
) -> int:
    """List the private environments that `convert --isolate` makes, where they are and how large."""
    from agnostic.cli import converting

    return converting.environments(remove, as_json=json)

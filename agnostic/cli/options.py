"""The arguments and options that several commands share, and what to make of those that say how to open a model."""

from pathlib import Path
from typing import Annotated, Any

import typer

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


def opening(**values: Any) -> dict[str, Any]:
    """Gather the options that say how a model is opened."""
    from agnostic.cli.common import opening as gathered

    return gathered(**values)

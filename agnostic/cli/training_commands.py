"""The commands below `agnostic training` and their options; what they do is in `cli.training` and `training_asking`.

They share most of their options, so each is put together from tables: an option's name, its type with its help, and its
default.
"""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from agnostic.cli.app import app
from agnostic.cli.options import (
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
    Resize,
    Scale,
    Size,
    Std,
    Timeout,
)

training = typer.Typer(
    help="What the training data did: forgotten, mislabelled, influential samples.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(training, name="training")

#: By name, an option's annotation and its default; `...` where it has none.
Options = Mapping[str, tuple[Any, Any]]


def _option(kind: Any, *names: str, **facts: Any) -> Any:
    return Annotated[kind, typer.Option(*names, **facts)]


SOURCES: Options = {
    "sources": (
        Annotated[
            list[Path],
            typer.Argument(metavar="RUN|CHECKPOINT…", help="A recorded run; or .onnx files in order, or their folder."),
        ],
        ...,
    )
}
CHECKPOINTS: Options = {
    "models": (
        Annotated[list[str], typer.Argument(metavar="CHECKPOINT…", help=".onnx files in order, or a folder of them.")],
        ...,
    )
}
DATA: Options = {
    "data": (
        _option(
            Path | None, "--data", metavar="DATA", help="The training set: a folder of pictures, .npz, .csv, .parquet."
        ),
        None,
    ),
    "label_column": (_option(str, "--label-column", metavar="NAME", help="Which column of a table it is."), "label"),
}
TABLES: Options = {
    "out": (
        _option(Path, "--out", "-o", metavar="DIR", help="Where tables, page and run go."),
        Path("training"),
    ),
    "format": (_option(str, "--format", metavar="csv|parquet", help="Of the tables."), "csv"),
    "known": (
        _option(
            Path | None,
            "--known",
            metavar="FILE",
            help="Numbers of samples known to be wrong, one a line: to judge by.",
        ),
        None,
    ),
    "top": (_option(int, "--top", min=1, metavar="N", help="How many samples are printed."), 10),
}
PAGE: Options = {
    "keep": (_option(int, "--keep", min=1, metavar="N", help="Samples with picture and history on the page."), 3000)
}
SHARED: Options = {
    "json": (Json, False),
    "quiet": (Quiet, False),
    "labels": (LabelsFile, None),
    "channels": (Channels, None),
    "layout": (LayoutOption, None),
    "size": (Size, None),
    "scale": (Scale, None),
    "mean": (Mean, None),
    "std": (Std, None),
    "resize": (Resize, None),
    "allow_custom_ops": (CustomOps, False),
    "device": (DeviceOption, "auto"),
    "batch_size": (BatchSize, None),
    "timeout": (Timeout, None),
    "max_memory": (MaxMemory, None),
}
ASKED: Options = {
    "target": (
        _option(
            list[str] | None,
            "--target",
            "-t",
            help="A class, layer:unit, a sum of them; by default the class predicted.",
        ),
        None,
    ),
    "sample": (
        _option(list[int] | None, "--sample", min=0, metavar="N", help="A training sample to ask about; repeatable."),
        None,
    ),
    "itself": (
        _option(bool, "--self", help="Rank all samples by what they do to their own loss: wrong labels first."),
        False,
    ),
    "weights": (_option(str | None, "--weights", metavar="all|last|A,B", help="Which weights may move."), None),
}
SOLVER: Options = {
    "solver": (
        _option(str, "--solver", metavar="exact|ekfac|cg|lissa|arnoldi", help="exact is of the last layer alone."),
        "exact",
    ),
    "damping": (
        _option(float | None, "--damping", min=0, help="Weight decay, or curvature added to every weight."),
        None,
    ),
    "l2": (_option(float | None, "--l2", min=0, help="The same, of weights but not of biases."), None),
    "curvature": (
        _option(str | None, "--curvature", metavar="gauss-newton|hessian", help="Which second derivative."),
        None,
    ),
    "iterations": (_option(int | None, "--iterations", min=1, help="Of cg and arnoldi."), None),
    "rank": (_option(int | None, "--rank", min=1, help="Directions that arnoldi keeps."), None),
    "depth": (_option(int | None, "--depth", min=1, help="Terms of lissa's series."), None),
    "scale_by": (_option(float | None, "--lissa-scale", help="What lissa divides the curvature by."), None),
    "curvature_samples": (
        _option(int | None, "--curvature-samples", min=1, help="How many samples cg and arnoldi take it of."),
        None,
    ),
    "seed": (_option(int | None, "--seed", min=0, help="Of whatever the solver draws."), None),
}


def _command(name: str, says: str, act: Callable[[dict[str, Any]], int], *tables: Options) -> None:
    """Add a command of these options; `act` gets their values by name."""

    def command(**values: Any) -> int:
        return act(values)

    options = {key: value for table in tables for key, value in table.items()}
    parameters = [
        inspect.Parameter(
            key, inspect.Parameter.KEYWORD_ONLY, annotation=kind,
            default=inspect.Parameter.empty if default is ... else default,
        )
        for key, (kind, default) in options.items()
    ]  # fmt: skip
    command.__annotations__ = {key: kind for key, (kind, _) in options.items()}
    command.__dict__["__signature__"] = inspect.Signature(parameters)
    training.command(name, help=says)(command)


def _opened(values: dict[str, Any]) -> dict[str, Any]:
    """Take what says how models are opened out of the values; rename what the rooms call otherwise."""
    from agnostic.cli.common import opening

    names = ("labels", "device", "allow_custom_ops", "channels", "layout", "size", "scale", "mean", "std", "resize")
    how = opening(**{name: values.pop(name) for name in names})
    return {
        **{name: value for name, value in values.items() if name != "json"},
        "as_json": values["json"],
        "opening": how,
    }


def _ranks(name: str, *own: str) -> Callable[[dict[str, Any]], int]:
    """What a ranking's command does, `own` being the ranking's settings."""

    def act(values: dict[str, Any]) -> int:
        from agnostic.cli import training as room

        settings = {key: values.pop(key) for key in own}
        return room.rank(room.Ranked(name=name, settings=settings, **_opened(values)))

    return act


def _asks(kind: str, *own: str) -> Callable[[dict[str, Any]], int]:
    """What a question's command does, `own` being the settings of how it is answered."""

    def act(values: dict[str, Any]) -> int:
        from agnostic.cli import training_asking as room

        settings = {key: values.pop(key) for key in (*own, "weights", "batch_size")}
        given = {room.RENAMED.get(key, key): value for key, value in settings.items() if value is not None}
        how = "similarity" if values.pop("similarity", False) else kind
        return room.ask(room.Question(kind=how, settings=given, **_opened(values)))

    return act


_command(
    "dynamics",
    "Write every ranking of a run, and a page with its samples; from checkpoints it records a run first.",
    _ranks("dynamics"),
    SOURCES, DATA, TABLES, PAGE, SHARED,
)  # fmt: skip
_command(
    "forgetting",
    "Rank by forgetting events: how often a sample predicted right was predicted wrong the next time.",
    _ranks("forgetting"),
    SOURCES, DATA, TABLES, SHARED,
)  # fmt: skip
_command(
    "tidy",
    "Rank by when samples are predicted right: late or never, and the label is probably wrong.",
    _ranks("tidy", "deviations"),
    SOURCES, DATA,
    {"deviations": (_option(float, "--deviations", help="Standard deviations above the mean."), 5.0)},
    TABLES, SHARED,
)  # fmt: skip
_command(
    "aum",
    "Rank by the area under the margin: by how much the label scored below another class, on average.",
    _ranks("aum", "threshold_ids", "percentile"),
    SOURCES, DATA,
    {
        "threshold_ids": (
            _option(
                Path | None, "--threshold-ids", metavar="FILE", help="Samples trained as a class of their own."
            ),
            None,
        ),
        "percentile": (
            _option(float, "--percentile", min=0, max=100, help="Of their AUMs, below which a sample is flagged."), 99.0
        ),
    },
    TABLES, SHARED,
)  # fmt: skip
_command(
    "confident",
    "Rank by confident learning: how much more probable another class is than the label.",
    _ranks("confident"),
    SOURCES, DATA, TABLES, SHARED,
)  # fmt: skip
_command(
    "influence",
    "Show which training samples made MODEL's answer, or a hidden unit, what it is on each INPUT.",
    _asks("influence", *SOLVER),
    {"models": (ModelArgument, ...)},
    {
        "inputs": (
            Annotated[list[str] | None, typer.Argument(metavar="INPUT…", help="Pictures or arrays to ask about.")], None
        )
    },
    DATA, ASKED, SOLVER, TABLES, PAGE, SHARED,
)  # fmt: skip
_command(
    "tracin",
    "Show what each training sample did to an answer in the course of training, summed up over CHECKPOINTs.",
    _asks("tracin", "rates"),
    CHECKPOINTS,
    {
        "inputs": (
            _option(list[str] | None, "--input", metavar="INPUT", help="What to ask about; may be repeated."), None
        ),
        "rates": (
            _option(str | None, "--rates", metavar="R,R,…", help="Learning rate of each checkpoint, or one."), None
        ),
        "similarity": (
            _option(bool, "--similarity", help="Instead, the cosine of the gradients at the last checkpoint."), False
        ),
    },
    DATA, ASKED, TABLES, PAGE, SHARED,
)  # fmt: skip

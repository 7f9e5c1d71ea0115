"""What the training data did: which samples were forgotten, are probably mislabelled, or made a prediction what it is.

A `Recorder` in any training loop, or `record_checkpoints` from a row of .onnx files, writes a run; `measure` walks
through it, and each ranking is a function of what that finds:

    with Recorder("run", n=60_000, classes=10) as rec:
        rec.epoch(ids, logits, labels)

    dynamics = measure(open_run("run"))
    tidy.tidy(dynamics).order[:100]

The rooms `aum`, `callbacks`, `confident`, `forgetting`, `influence`, `tidy` and `tracin` are reached as modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic.training import aum, callbacks, confident, forgetting, influence, tidy, tracin
    from agnostic.training.checkpoints import record_checkpoints
    from agnostic.training.data import TrainingSet, arrays
    from agnostic.training.data_files import open_data
    from agnostic.training.dynamics import Dynamics, measure
    from agnostic.training.ranking import Found, Ranking, combined, found
    from agnostic.training.recorder import Recorder
    from agnostic.training.run import Run, open_run
    from agnostic.training.table import write_table

_HOMES = {
    "Dynamics": "dynamics",
    "Found": "ranking",
    "Ranking": "ranking",
    "Recorder": "recorder",
    "Run": "run",
    "TrainingSet": "data",
    "arrays": "data",
    "combined": "ranking",
    "found": "ranking",
    "measure": "dynamics",
    "open_data": "data_files",
    "open_run": "run",
    "record_checkpoints": "checkpoints",
    "write_table": "table",
}
# Their main function has the same name, which only one of the two can have here.
_MODULES = frozenset({"aum", "callbacks", "confident", "forgetting", "influence", "tidy", "tracin"})

__all__ = [
    "Dynamics",
    "Found",
    "Ranking",
    "Recorder",
    "Run",
    "TrainingSet",
    "arrays",
    "aum",
    "callbacks",
    "combined",
    "confident",
    "forgetting",
    "found",
    "influence",
    "measure",
    "open_data",
    "open_run",
    "record_checkpoints",
    "tidy",
    "tracin",
    "write_table",
]


def __getattr__(name: str) -> object:
    """Import what is asked for only now."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

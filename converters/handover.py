"""What two processes hand each other through a folder: a job, and what came of it, in JSON and plain arrays."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from agnostic.converters.conversion import Array, Facts, Request
from agnostic.converters.trials import Trial

JOB, EXAMPLE, MODEL, TRIALS, RESULT, ERROR = (
    "job.json", "example.npz", "model.onnx", "trials.npz", "result.json", "error.json"
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A conversion to be done elsewhere.

    Attributes:
        framework: its name.
        source: the path of a file or folder, or `FILE.py:NAME`.
        request: what the caller said beside it.
        seed: of the random inputs that the source is asked on.
        memory: the most bytes of address space that the process may take.
    """

    framework: str
    source: str
    request: Request = field(default_factory=Request)
    seed: int = 0
    memory: int | None = None


@dataclass(frozen=True)
class Draft:
    """A converted model that has not been compared with its source yet.

    Attributes:
        proto: the graph.
        trials: inputs, with what the source answered.
        facts: what the source says about itself.
        versions: of the packages that took part.
        notes: what a user should know, one line each.
    """

    proto: onnx.ModelProto
    trials: list[Trial]
    facts: Facts = field(default_factory=Facts)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def write_job(folder: Path, job: Job) -> None:
    """Write a job into an empty folder."""
    _write_arrays(folder / EXAMPLE, job.request.example)
    rest = {"framework": job.framework, "source": job.source, "seed": job.seed, "memory": job.memory}
    rest |= {"shapes": job.request.shapes, "opset": job.request.opset, "names": list(job.request.example)}
    (folder / JOB).write_text(json.dumps(rest), "utf-8")


def read_job(folder: Path) -> Job:
    """Read what `write_job` wrote."""
    rest = json.loads((folder / JOB).read_text("utf-8"))
    arrays = _read_arrays(folder / EXAMPLE)
    example = {name: arrays[name] for name in rest["names"]}
    request = Request(example, tuple(map(tuple, rest["shapes"])), rest["opset"])
    return Job(rest["framework"], rest["source"], request, rest["seed"], rest["memory"])


def write_draft(folder: Path, draft: Draft) -> None:
    """Write a draft; its facts last, so that a folder that has them is complete."""
    (folder / MODEL).write_bytes(draft.proto.SerializeToString(deterministic=True))
    arrays: dict[str, Array] = {}
    for place, trial in enumerate(draft.trials):
        arrays |= {f"{place}|feed|{name}": value for name, value in trial.feeds.items()}
        arrays |= {f"{place}|answer|{name}": value for name, value in trial.answers.items()}
    _write_arrays(folder / TRIALS, arrays)
    rest = {"trials": len(draft.trials), "facts": asdict(draft.facts), "versions": dict(draft.versions)}
    (folder / RESULT).write_text(json.dumps({**rest, "notes": draft.notes}), "utf-8")


def read_draft(folder: Path) -> Draft | None:
    """Read what `write_draft` wrote; None where it did not get there."""
    if not (folder / RESULT).is_file():
        return None
    rest = json.loads((folder / RESULT).read_text("utf-8"))
    trials = [Trial({}, {}) for _ in range(rest["trials"])]
    for key, value in _read_arrays(folder / TRIALS).items():
        place, kind, name = key.split("|", 2)
        (trials[int(place)].feeds if kind == "feed" else trials[int(place)].answers)[name] = value
    proto = onnx.load_model_from_string((folder / MODEL).read_bytes())
    return Draft(proto, trials, Facts(**rest["facts"]), rest["versions"], tuple(rest["notes"]))


def write_error(folder: Path, kind: str, message: str) -> None:
    """Write what went wrong."""
    (folder / ERROR).write_text(json.dumps({"kind": kind, "message": message}), "utf-8")


def read_error(folder: Path) -> tuple[str, str] | None:
    """Read what went wrong: the name of the exception and its message; None where nothing was written."""
    if not (folder / ERROR).is_file():
        return None
    found: dict[str, Any] = json.loads((folder / ERROR).read_text("utf-8"))
    return str(found["kind"]), str(found["message"])


def _write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    # Names may hold slashes, which are folders in an archive: they are written beside the arrays.
    plain = {f"a{place}": _plain(array) for place, array in enumerate(arrays.values())}
    np.savez(path, names=np.array(json.dumps(list(arrays))), **plain)  # type: ignore[arg-type]


def _plain(array: Array) -> Array:
    """Write text as fixed-width text: an array of objects would be a pickle."""
    return array.astype(np.str_) if array.dtype.kind == "O" else array


def _read_arrays(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as archive:
        names = json.loads(str(archive["names"]))
        arrays = [archive[f"a{place}"] for place in range(len(names))]
    return {n: a.astype(object) if a.dtype.kind == "U" else a for n, a in zip(names, arrays, strict=True)}

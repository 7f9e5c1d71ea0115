"""What a model says about itself: labels and preprocessing, from its metadata, a sidecar, or the folder it lies in.

Later sources win: ONNX metadata (`agnostic.labels`, `agnostic.preprocess`), then the files of a Hugging Face folder
(`config.json`, `preprocessor_config.json`), then the sidecar `model.agnostic.toml`.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from agnostic.converters.metadata import image_processor
from agnostic.engine.preprocess import Preprocess, from_mapping
from agnostic.errors import ModelError, UsageError

SIDECAR_SUFFIX = ".agnostic.toml"
SMALL_FILE = 8 * 2**20
# What a text, a table, a series and an answer look like; read in `inputs/` and by the targets.
SECTIONS = ("text", "table", "series", "answer")


@dataclass(frozen=True)
class Facts:
    """What is declared; None where nothing is.

    Attributes:
        labels: class names.
        preprocess: how pictures become inputs.
        sections: what else is declared, by the name of the section, as it stands there; whoever knows the kind of input
            or output checks it.
    """

    labels: tuple[str, ...] | None = None
    preprocess: Preprocess | None = None
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def over(self, below: "Facts") -> "Facts":
        """Let these facts win over others."""
        sections = {**below.sections, **self.sections}
        return Facts(self.labels or below.labels, self.preprocess or below.preprocess, sections)


def gather(proto: onnx.ModelProto, path: Path | None) -> Facts:
    """Collect the declarations that come with a model."""
    facts = from_metadata(proto)
    if path is None:
        return facts
    for folder in (path.parent, path.parent.parent):
        if (folder / "config.json").is_file() and (folder == path.parent or path.parent.name == "onnx"):
            facts = from_hugging_face(folder).over(facts)
            break
    return with_sidecar(facts, path)


def with_sidecar(facts: Facts, path: Path) -> Facts:
    """Let the sidecar of a model file win over facts, if there is one."""
    sidecar = path.with_name(path.stem + SIDECAR_SUFFIX)
    return from_sidecar(sidecar).over(facts) if sidecar.is_file() else facts


def from_metadata(proto: onnx.ModelProto) -> Facts:
    """Read the keys `agnostic.labels` and `agnostic.preprocess` of the ONNX metadata."""
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    labels = preprocess = None
    if "agnostic.labels" in entries:
        labels = as_labels(_json(entries["agnostic.labels"], "metadata agnostic.labels"), "metadata agnostic.labels")
    if "agnostic.preprocess" in entries:
        values = _json(entries["agnostic.preprocess"], "metadata agnostic.preprocess")
        preprocess = from_mapping(_mapping(values, "metadata agnostic.preprocess"), "metadata")
    named = {name: f"metadata agnostic.{name}" for name in SECTIONS if f"agnostic.{name}" in entries}
    return Facts(
        labels,
        preprocess,
        {name: _mapping(_json(entries[f"agnostic.{name}"], origin), origin) for name, origin in named.items()},
    )


def from_sidecar(path: Path) -> Facts:
    """Read a sidecar: `labels` (a list, or the name of a text or JSON file beside it), `[preprocess]` and sections."""
    try:
        content = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path.name}: not valid TOML: {error}") from error
    known = ("labels", "preprocess", *SECTIONS)
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise UsageError(f"{path.name}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
    labels = content.get("labels")
    if isinstance(labels, str):
        labels = read_labels(path.parent / labels)
    elif labels is not None:
        labels = as_labels(labels, path.name)
    preprocess = content.get("preprocess")
    return Facts(
        labels,
        from_mapping(_mapping(preprocess, path.name), path.name) if preprocess is not None else None,
        {name: _mapping(content[name], f"{path.name} [{name}]") for name in SECTIONS if name in content},
    )


def read_labels(path: Path) -> tuple[str, ...]:
    """Read class names: one a line, or a JSON list or {index: name} object."""
    text = _read(path)
    if path.suffix == ".json":
        return as_labels(_json(text, path.name), path.name)
    return as_labels(text.splitlines(), path.name)


def as_labels(value: Any, origin: str) -> tuple[str, ...]:
    """Check class names: a list of strings, or a mapping from the indices 0, 1, … to strings."""
    if isinstance(value, Mapping):
        try:
            value = [value[key] for key in sorted(value, key=int)] if _counts_up(value) else None
        except ValueError:
            value = None
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{origin}: labels must be a list of names, one per class")
    return tuple(item.strip() for item in value)


def from_hugging_face(folder: Path) -> Facts:
    """Read `id2label` and the image processor of a Hugging Face folder; another tool's config.json declares nothing."""
    config = _json(_read(folder / "config.json"), "config.json")
    if not isinstance(config, Mapping):
        return Facts()
    labels = as_labels(config["id2label"], "config.json") if config.get("id2label") else None
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return Facts(labels)
    values = _mapping(_json(_read(path), path.name), path.name)
    if "image_mean" not in values and "size" not in values:
        return Facts(labels)
    return Facts(labels, from_mapping(image_processor(values), path.name))


def find_model_file(folder: Path) -> Path:
    """Find the one .onnx file of a folder: MLflow's, Hugging Face's `onnx/model.onnx`, or the only one there is."""
    if (folder / "MLmodel").is_file():
        return folder / _mlflow_data(_read(folder / "MLmodel"))
    for name in ("onnx/model.onnx", "model.onnx"):
        if (folder / name).is_file():
            return folder / name
    found = sorted(folder.glob("*.onnx"))
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} .onnx files" if found else "no .onnx file"
    raise ModelError(
        f"{folder}: the folder holds {what}; expected model.onnx, onnx/model.onnx or MLmodel; name the file itself"
    )


def _mlflow_data(text: str) -> str:
    """Pick `flavors: onnx: data:` out of an MLmodel file, which is flat YAML written by MLflow."""
    inside = False
    for line in text.splitlines():
        if line.strip() == "onnx:":
            inside = True
        elif inside and line.strip().startswith("data:"):
            name = line.split(":", 1)[1].strip().strip("'\"")
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ModelError(f"MLmodel: data {name!r} lies outside the folder")
            return name
    raise ModelError("MLmodel: no ONNX flavour found; expected flavors: onnx: data: model.onnx")


def _counts_up(value: Mapping[Any, Any]) -> bool:
    return sorted(int(key) for key in value) == list(range(len(value)))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > SMALL_FILE:
            raise UsageError(f"{path}: larger than {SMALL_FILE >> 20} MB, no such file is that large")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error


def _json(text: str, origin: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{origin}: not valid JSON") from error


def _mapping(value: Any, origin: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{origin}: expected a table of names and values")
    return value

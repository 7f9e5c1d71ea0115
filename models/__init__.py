"""The embedded models, and the pictures and samples to try them on, loaded by name.

`manifest.json` beside this file says of each one where it comes from, its licence, its sha256 and what it should
predict. Importing this package imports neither onnx nor a model.
"""

import importlib
import json
from collections.abc import Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from agnostic.errors import unknown
from agnostic.models import cache

__all__ = ["build", "load", "manifest", "names", "path", "picture", "pictures", "sample", "samples"]


def manifest() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return what is known of every model, picture and sample: `manifest()["models"][name]`, and so on."""
    entries: dict[str, dict[str, dict[str, Any]]] = json.loads(_beside("manifest.json").read_text("utf-8"))
    return entries


def names() -> tuple[str, ...]:
    """Return the names of the models.

    >>> names()[:3]
    ('squeezenet', 'efficientnet-lite0', 'digits-vit')
    """
    return tuple(manifest()["models"])


def pictures() -> tuple[str, ...]:
    """Return the names of the pictures."""
    return tuple(manifest()["pictures"])


def samples() -> tuple[str, ...]:
    """Return the names of the samples that are no pictures: rows of tables and series."""
    return tuple(manifest()["samples"])


def path(name: str) -> Path:
    """Return the file of a model; one that is not embedded is built into the cache folder the first time."""
    entry = _entry("model", "models", name)
    if entry["embedded"]:
        return _beside(entry["file"])
    return cache.built(entry["file"], entry["sha256"], partial(build, name))


def build(name: str) -> bytes:
    """Build a model that is not embedded, from the package that holds its weights.

    Raises:
        UsageError: the package is not installed; the message has the line that installs it.
    """
    # Imported only when it is built: this is the one path here that needs onnx.
    builder = importlib.import_module(f"{__name__}.{Path(_entry('model', 'models', name)['source']['builder']).stem}")
    data: bytes = builder.model_bytes()
    return data


def picture(name: str) -> Path:
    """Return the file of a picture."""
    return _beside(_entry("picture", "pictures", name)["file"])


def sample(name: str) -> Path:
    """Return the file of a sample that is no picture."""
    return _beside(_entry("sample", "samples", name)["file"])


def load(name: str) -> Any:
    """Open a model by name, as `agnostic.load(name)` does.

    The class of what is returned lives in the engine, a room above this one. It is therefore looked up when called:
    this package stays importable without the engine, and the engine can ask it where a named model lies.
    """
    return importlib.import_module("agnostic").load(path(name))


def _entry(kind: str, group: str, name: str) -> Mapping[str, Any]:
    entries = manifest()[group]
    if name not in entries:
        raise unknown(kind, name, entries)
    return entries[name]


def _beside(file: str) -> Path:
    return Path(str(resources.files(__name__).joinpath(file)))

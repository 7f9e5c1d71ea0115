"""The embedded models and pictures, loaded by name.

`manifest.json` beside this file says of each one where it comes from, its licence, its sha256 and what it should
predict. Importing this package imports neither onnx nor a model.
"""

import importlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from agnostic.errors import unknown
from agnostic.models import cache

__all__ = ["load", "manifest", "names", "path", "picture", "pictures"]


def manifest() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return what is known of every model and picture: `manifest()["models"][name]`, `manifest()["pictures"][name]`."""
    entries: dict[str, dict[str, dict[str, Any]]] = json.loads(_beside("manifest.json").read_text("utf-8"))
    return entries


def names() -> tuple[str, ...]:
    """Return the names of the models.

    >>> names()
    ('squeezenet', 'efficientnet-lite0', 'digits-vit', 'digits-detector', 'digits-segmenter')
    """
    return tuple(manifest()["models"])


def pictures() -> tuple[str, ...]:
    """Return the names of the pictures."""
    return tuple(manifest()["pictures"])


def path(name: str) -> Path:
    """Return the file of a model; one that is not embedded is built into the cache folder the first time."""
    entry = _entry("model", "models", name)
    if entry["embedded"]:
        return _beside(entry["file"])
    return cache.built(entry["file"], entry["sha256"], _build_lite0)


def picture(name: str) -> Path:
    """Return the file of a picture."""
    return _beside(_entry("picture", "pictures", name)["file"])


def load(name: str) -> Any:
    """Open a model by name, as `agnostic.load(name)` does.

    The class of what is returned lives in the engine, a room above this one. It is therefore looked up when called:
    this package stays importable without the engine, and the engine can ask it where a named model lies.
    """
    return importlib.import_module("agnostic").load(path(name))


def _build_lite0() -> bytes:
    # Imported only when it is built: this is the one path here that needs onnx.
    from agnostic.models import efficientnet_lite0

    return efficientnet_lite0.model_bytes()


def _entry(kind: str, group: str, name: str) -> Mapping[str, Any]:
    entries = manifest()[group]
    if name not in entries:
        raise unknown(kind, name, entries)
    return entries[name]


def _beside(file: str) -> Path:
    return Path(str(resources.files(__name__).joinpath(file)))

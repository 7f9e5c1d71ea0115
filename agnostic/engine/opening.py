"""Open a model: a file, bytes, a graph, a folder, or the name of an embedded one."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

from agnostic import models
from agnostic.converters import converting, loader, sources
from agnostic.engine import limits
from agnostic.engine.facts import Facts, find_model_file, from_metadata, gather, read_labels, with_sidecar
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess, assume
from agnostic.engine.runtime import Device
from agnostic.errors import ModelError, UsageError

Source = str | os.PathLike[str] | bytes | onnx.ModelProto


def load(
    source: Source,
    *,
    device: Device = "auto",
    labels: str | os.PathLike[str] | None = None,
    preprocess: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | None = None,
    raw_output: bool = False,
    allow_custom_ops: bool = False,
    straight_through: bool = False,
    allow_parity: bool = False,
) -> Model:
    """Open a model through the one guarded loader.

    A model of another framework is converted on the way, and kept: the second time, it is found by its content.

    Args:
        source: a path, bytes, a ModelProto, a folder in Hugging Face or MLflow layout, or an embedded model's name.
            What `agnostic convert` reads is taken too, as far as its packages, or their private environment, are there.
        device: `auto` takes CUDA where a driver is found; `cuda` is an error where it is not.
        labels: a file of class names, one a line or JSON; overrides what the model declares.
        preprocess: single values that override or complete what the model declares; see `Preprocess`.
        answer: what kind of answer the model gives, in place of its section `[answer]`; see `engine.answer`.
        raw_output: explain the outputs as they are, not the scores before their softmax.
        allow_custom_ops: accept operators of unknown domains.
        straight_through: differentiate rounding in quantised models as the identity: an estimate, recorded as such.
        allow_parity: give gradients even where the torch re-import differs from onnxruntime.

    Raises:
        ModelError: the file is missing, broken, unsafe, or cannot be run.
        UsageError: an unknown name, or declarations that make no sense.
    """
    file, name = _locate(source)
    origin = _foreign(file)
    loaded = loader.load(file if origin is None else _converted(origin), allow_custom_ops=allow_custom_ops)
    if origin is None:
        facts = gather(loaded.proto, loaded.path)
    else:
        loaded, facts = replace(loaded, path=origin), with_sidecar(from_metadata(loaded.proto), origin)
    if labels is not None:
        facts = replace(facts, labels=read_labels(Path(labels)))
    if answer is not None:
        facts = replace(facts, sections={**facts.sections, "answer": answer})
    model = Model(
        loaded,
        facts,
        name=name,
        device=device,
        raw_output=raw_output,
        straight_through=straight_through,
        allow_parity=allow_parity,
    )
    if "answer" in facts.sections:
        _ = model.answer  # what is declared is checked at once, not when it is first needed
    if labels is not None:
        _check_labels(model, Path(labels))
    return _override(model, facts, preprocess) if preprocess else model


def _locate(source: Source) -> tuple[Source, str]:
    """Find the file and the name to call the model by."""
    if not isinstance(source, str | os.PathLike):
        return source, "model"
    path = Path(source)
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise ModelError(f"{str(source)[:80]}: cannot be opened: {error.strerror}; give the path of a model") from error
    if is_folder:
        return _in_folder(path), path.resolve().name
    if isinstance(source, str) and source in models.names() and not path.exists():
        return models.path(source), source
    return path, path.stem


def _in_folder(path: Path) -> Path:
    """Find the .onnx file of a folder; a folder that is itself a model of another framework stands for itself."""
    try:
        return find_model_file(path)
    except ModelError:
        if sources.recognise(path) is None:
            raise
        return path


def _foreign(file: Source) -> Path | None:
    """Return the path of a model of another framework; None for anything else, and for what is no file at all."""
    if not isinstance(file, Path):
        return None
    return file if sources.recognise(file) is not None else None


def _converted(path: Path) -> Path:
    deadline = limits.current()
    return converting.through_cache(path, timeout=None if deadline is None else max(deadline.remaining, 0.001))


def _check_labels(model: Model, path: Path) -> None:
    given, classes = len(model.labels or ()), model.names.class_count
    if classes not in (None, given):
        raise UsageError(f"{path.name} holds {given} class names, the model has {classes} classes; give one per class")


def _override(model: Model, facts: Facts, flags: Mapping[str, Any]) -> Model:
    model.preprocess = (facts.preprocess or _assumed(model)).with_flags(flags)
    return model


def _assumed(model: Model) -> Preprocess:
    tensor = next((item for item in model.inputs if len(item.shape) == 4), model.inputs[0])
    return assume(tensor.shape, tensor.is_integer)

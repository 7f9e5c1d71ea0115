"""scikit-learn to ONNX: estimators and pipelines, of numbers, text, or columns of different kinds.

Files are read without running code (`.joblib`, `.pkl`: see `pickles`; `.skops` is safe by its own making).
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from agnostic.converters import metadata, pickles, sklearn_registry, tidy
from agnostic.converters.conversion import Array, Converted, Facts, Feeds, Request
from agnostic.converters.sklearn_inputs import Inputs, inputs_of, walk
from agnostic.errors import ConversionError, missing_extra

_OPSET = 17
_OPSET_ML = 3
# Two or more letters or digits of any alphabet: what scikit-learn's default pattern means, in RE2's words.
_WORDS = r"[\p{L}\p{N}_][\p{L}\p{N}_]+"
_DEFAULT_PATTERN = r"(?u)\b\w\w+\b"


def convert(source: Any, request: Request) -> Converted:
    """Convert a fitted estimator or pipeline, or the file of one.

    Raises:
        ConversionError: the file would run code, the estimator is not fitted, or skl2onnx does not know it.
    """
    estimator = _opened(source) if isinstance(source, Path) else source
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(estimator, "get_params"):
        raise ConversionError(f"an object of type {type(estimator).__name__} is no scikit-learn estimator")
    inputs = inputs_of(estimator)
    outputs = _outputs(estimator)
    proto = tidy.tidy(_exported(estimator, inputs, request.opset))
    # skl2onnx writes names of columns without their spaces.
    tidy.rename(proto, tidy.ends(proto, [name for name, _ in inputs.types()], outputs))
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in proto.graph.output}

    def answer(feeds: Feeds) -> dict[str, Array]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rows without the names that it was fitted with
            rows = inputs.rows(feeds)
            answers = {name: _answer(estimator, name, rows) for name in outputs}
        # A column of labels has one axis in scikit-learn, and in some converters two.
        return {name: a[:, None] if a.ndim == 1 and ranks.get(name) == 2 else a for name, a in answers.items()}

    facts = Facts(
        labels=metadata.as_labels(getattr(estimator, "classes_", None)),
        table=inputs.table(),
        text={"kind": "strings"} if inputs.text else None,
    )
    return Converted(proto, answer, facts, inputs.likeness(request))


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\x03\x04"
    return _skops(path) if is_archive else pickles.load_estimator(path)


def _skops(path: Path) -> Any:
    try:
        from skops import io
    except ImportError as error:
        raise missing_extra("skops", "convert", "reading .skops files") from error
    listed = io.get_untrusted_types(file=path)
    if untrusted := [name for name in listed if not pickles.is_allowed(*name.rpartition(".")[::2])]:
        raise ConversionError(
            f"{path.name} holds objects of {', '.join(untrusted[:3])}, which may run code; nothing of it was run. If "
            "you trust it, load it yourself and call agnostic.convert(estimator, example)"
        )
    return io.load(path, trusted=listed)


def _exported(estimator: Any, inputs: Inputs, opset: int | None) -> ModelProto:
    from skl2onnx import to_onnx

    sklearn_registry.prepare(estimator)
    proto: ModelProto = to_onnx(
        estimator,
        initial_types=inputs.types(),
        target_opset={"": opset or _OPSET, "ai.onnx.ml": _OPSET_ML},
        options=_options(estimator),
    )
    return proto


def _options(estimator: Any) -> dict[int, dict[str, Any]]:
    """Ask for plain arrays of scores, and for text to be split as scikit-learn splits it, whatever the locale."""
    options: dict[int, dict[str, Any]] = {}
    if hasattr(estimator, "classes_"):
        wanted = {"zipmap": False} | ({} if hasattr(estimator, "predict_proba") else {"raw_scores": True})
        options[id(estimator)] = {key: wanted[key] for key in sklearn_registry.known_options(estimator, wanted)}
    for part in walk(estimator):
        if hasattr(part, "vocabulary_"):
            options[id(part)] = {"locale": "C"}
            if part.analyzer == "word" and part.token_pattern == _DEFAULT_PATTERN:
                options[id(part)]["tokenexp"] = _WORDS
    return options


def _outputs(estimator: Any) -> list[str]:
    """Name what the estimator answers, in the order of the graph's outputs."""
    if hasattr(estimator, "classes_"):
        return ["label", "probabilities" if hasattr(estimator, "predict_proba") else "scores"]
    if hasattr(estimator, "predict") and not hasattr(estimator, "score_samples"):
        return ["label", "scores"] if hasattr(estimator, "cluster_centers_") else ["value"]
    if hasattr(estimator, "decision_function"):
        return ["label", "scores"]
    return ["value"]


def _answer(estimator: Any, name: str, rows: Any) -> Array:
    if name == "label":
        found = np.asarray(estimator.predict(rows))
        return found.astype(object) if found.dtype.kind in "OU" else found.astype(np.int64)
    if name == "probabilities":
        return np.asarray(estimator.predict_proba(rows))
    if name == "scores":
        return _scores(estimator, rows)
    made = estimator.predict(rows) if hasattr(estimator, "predict") else estimator.transform(rows)
    dense = np.asarray(made.todense() if hasattr(made, "todense") else made)
    return dense.reshape(len(dense), -1)


def _scores(estimator: Any, rows: Any) -> Array:
    if not hasattr(estimator, "decision_function"):
        return np.asarray(estimator.transform(rows))
    found = np.asarray(estimator.decision_function(rows))
    if found.ndim > 1:
        return found
    return np.stack([-found, found], axis=1) if hasattr(estimator, "classes_") else found[:, None]

"""What kind of answer a model gives: declared in the section `[answer]`, or found where the graph leaves no doubt.

The sidecar `model.agnostic.toml`, or JSON under the metadata key `agnostic.answer`::

    [answer]
    kind = "classes"        # one of several; or labels (any of several), regression, boxes, segmentation, embedding
    output = "logits"       # the output, or for an embedding any layer, that holds it; the first that fits by default
    unit = "mg/dl"          # regression: of the value, or a list with one for each
    names = ["glucose"]     # regression: of the values
    background = 0          # segmentation: the class that is no thing
    distance = "euclidean"  # embedding: what likeness is; the cosine by default
    pooling = "mean"        # embedding of tokens or places: their mean, or the "first"

    [answer.outputs.age]    # several outputs that answer, each in its way: kind, unit, names, labels
    kind = "regression"

The keys of boxes are in `engine.layouts`, whose fields they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import onnx

from agnostic.converters.graph import first_input, producers
from agnostic.engine.layouts import Layout
from agnostic.engine.reading_layouts import read_layout
from agnostic.engine.signature import Tensor
from agnostic.errors import UsageError, unknown

Kind = Literal["classes", "labels", "regression", "boxes", "segmentation", "embedding"]
HeadKind = Literal["classes", "labels", "regression"]
Distance = Literal["cosine", "euclidean"]
Pooling = Literal["none", "mean", "first"]

_OF_HEADS = ("kind", "output", "outputs", "unit", "names")
KEYS: dict[Kind, tuple[str, ...]] = {
    "classes": _OF_HEADS,
    "labels": _OF_HEADS,
    "regression": _OF_HEADS,
    "segmentation": ("kind", "output", "background"),
    "embedding": ("kind", "output", "distance", "pooling"),
    "boxes": (
        "kind", "layout", "boxes", "scores", "labels", "count", "coordinates", "scale", "activation", "background",
        "threshold", "overlap",
    ),
}  # fmt: skip
_HEAD_KEYS = ("kind", "unit", "names", "labels")
# Operators that end a regression and nothing else.
_REGRESSORS = frozenset({"TreeEnsembleRegressor", "LinearRegressor", "SVMRegressor"})
_LOOKED_THROUGH = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True)
class Head:
    """One output that answers.

    Attributes:
        output: its name; of an embedding also that of a layer.
        kind: one of several classes, any of several labels, or values.
        labels: names of the classes or values, where it has its own.
        units: of the values, one for all or one for each.
    """

    output: str
    kind: HeadKind = "classes"
    labels: tuple[str, ...] | None = None
    units: tuple[str, ...] = ()

    def unit(self, index: int) -> str | None:
        """The unit of one of its values."""
        return None if not self.units else self.units[index if len(self.units) > 1 else 0]


@dataclass(frozen=True)
class Answer:
    """What a model answers.

    Attributes:
        kind: what sort of thing.
        heads: the outputs that hold it; the first is explained where nothing else is said.
        by_name: whether the outputs are declared one by one, so that targets name them.
        layout: how boxes are written down.
        background: the class of a segmentation that is no thing.
        distance: what the likeness of two embeddings is.
        pooling: how an embedding of tokens or places becomes one of the whole.
        notes: what was assumed, one line each.
    """

    kind: Kind
    heads: tuple[Head, ...]
    layout: Layout | None = None
    background: int | None = None
    distance: Distance = "cosine"
    pooling: Pooling = "none"
    notes: tuple[str, ...] = ()
    by_name: bool = False

    @property
    def is_of_scores(self) -> bool:
        """Whether it is read entry by entry off its heads."""
        return self.kind in get_args(HeadKind)


@dataclass(frozen=True)
class Graph:
    """What the answer is looked for in.

    Attributes:
        proto: the graph.
        outputs: its outputs.
        labels: the class names that the model declares.
        is_layer: whether a name is that of a hidden layer.
    """

    proto: onnx.ModelProto
    outputs: tuple[Tensor, ...]
    labels: tuple[str, ...] | None
    is_layer: Callable[[str], bool]

    def output(self, name: str, key: str) -> Tensor:
        """Find an output that a declaration names."""
        for item in self.outputs:
            if item.name == name:
                return item
        raise UsageError(f"[answer] {key}: {unknown('output', name, [item.name for item in self.outputs])}")

    @property
    def first(self) -> Tensor:
        """The first output of a floating type; the first of all where there is none."""
        floating = [item for item in self.outputs if np.issubdtype(item.dtype, np.floating)]
        return (floating or list(self.outputs))[0]


def answer_of(declared: Mapping[str, Any] | None, graph: Graph) -> Answer:
    """Read the declaration, or find out without one.

    Raises:
        UsageError: the declaration has an unknown key or value, or does not fit the graph.
    """
    if declared is None:
        return _found(graph)
    several = declared.get("outputs")
    kind = declared.get("kind", "classes" if several else None)
    if kind not in KEYS:
        raise UsageError(f"[answer] kind={kind!r}: expected one of {', '.join(KEYS)}")
    _check_keys(declared, KEYS[kind], f"[answer] of kind {kind!r}")
    if kind == "boxes":
        layout = read_layout(declared, graph.outputs, len(graph.labels or ()))
        return Answer("boxes", (Head(layout.boxes),), layout)
    if several is not None:
        heads = _heads(several, graph)
        return Answer(heads[0].kind, heads, by_name=True)
    output = _output(declared, graph, kind)
    if kind == "embedding":
        distance = _one_of(declared, "distance", get_args(Distance), "cosine")
        pooling = _one_of(declared, "pooling", get_args(Pooling), "none")
        return Answer("embedding", (Head(output),), distance=distance, pooling=pooling)
    if kind == "segmentation":
        return Answer("segmentation", (Head(output),), background=_number(declared, "background"))
    return Answer(kind, (_head(output, declared, kind, "[answer]"),))


def _found(graph: Graph) -> Answer:
    """Find out what the model answers, where the graph leaves no doubt; else take the first output for class scores."""
    if (layout := found_layout(graph)) is not None:
        return Answer("boxes", (Head(layout.boxes),), layout)
    first = graph.first
    ends = _end_of(graph.proto, first.name)
    if _is_map_of_classes(graph, first, ends):
        return Answer("segmentation", (Head(first.name),))
    kind: HeadKind = "regression" if ends in _REGRESSORS else "classes"
    if ends == "Sigmoid" and first.shape[-1:] not in ((), (1,)):
        kind = "labels"
    return Answer(kind, (Head(first.name, kind),), notes=_other_outputs(graph, first))


def _end_of(proto: onnx.ModelProto, name: str) -> str:
    """The operator that makes an output, those that only reshape looked through."""
    made = producers(proto.graph)
    node = made.get(name)
    while node is not None and node.op_type in _LOOKED_THROUGH:
        node = made.get(first_input(node))
    return node.op_type if node is not None else ""


def _is_map_of_classes(graph: Graph, output: Tensor, ends: str) -> bool:
    """Whether an output holds a score of every class at every place."""
    if len(output.shape) != 4 or 1 in output.shape[2:]:
        return False
    return ends in ("Softmax", "ArgMax") or bool(graph.labels and len(graph.labels) in output.shape[1:])


def found_layout(graph: Graph) -> Layout | None:
    """Find out how boxes are written down, where names and shapes say so."""
    names = {item.name: item for item in graph.outputs}
    if {"boxes", "scores", "labels"} <= set(names):
        return read_layout({"layout": "ssd"}, graph.outputs, len(graph.labels or ()))
    if {"logits", "pred_boxes"} <= set(names):
        return read_layout({"layout": "detr"}, graph.outputs, len(graph.labels or ()))
    return None


def _other_outputs(graph: Graph, first: Tensor) -> tuple[str, ...]:
    others = [item.name for item in graph.outputs if item != first and np.issubdtype(item.dtype, np.floating)]
    if not others or len(first.shape) > 2:
        return ()
    return (
        f"the model has {len(others) + 1} outputs of numbers; {first.name!r} is taken for its answer: name others as "
        f"{others[0]}:0, or declare them under [answer] in MODEL.agnostic.toml",
    )


def _heads(several: Any, graph: Graph) -> tuple[Head, ...]:
    if not isinstance(several, Mapping) or not several or not all(isinstance(v, Mapping) for v in several.values()):
        raise UsageError("[answer] outputs: expected a table for each output, such as [answer.outputs.NAME]")
    heads = []
    for name, declared in several.items():
        graph.output(name, "outputs")
        kind = declared.get("kind", "classes")
        if kind not in get_args(HeadKind):
            raise UsageError(f"[answer.outputs.{name}] kind={kind!r}: expected one of {', '.join(get_args(HeadKind))}")
        _check_keys(declared, _HEAD_KEYS, f"[answer.outputs.{name}]")
        heads.append(_head(name, declared, kind, f"[answer.outputs.{name}]"))
    return tuple(heads)


def _head(output: str, declared: Mapping[str, Any], kind: HeadKind, where: str) -> Head:
    for key in ("unit", "names"):
        if key in declared and kind != "regression":
            raise UsageError(f"{where} {key}: only a regression has it; this is of kind {kind!r}")
    labels = declared.get("names", declared.get("labels"))
    return Head(output, kind, _words(labels, f"{where} labels") or None, _words(declared.get("unit"), f"{where} unit"))


def _words(value: Any, where: str) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{where}={value!r}: expected a word or a list of words")
    return tuple(words)


def _output(declared: Mapping[str, Any], graph: Graph, kind: str) -> str:
    name = declared.get("output", graph.first.name)
    if not isinstance(name, str):
        raise UsageError(f"[answer] output={name!r}: expected the name of an output")
    if kind != "embedding" or not graph.is_layer(name):
        graph.output(name, "output")
    return name


def _one_of(declared: Mapping[str, Any], key: str, allowed: tuple[str, ...], default: str) -> Any:
    value = declared.get(key, default)
    if value not in allowed:
        raise UsageError(f"[answer] {key}={value!r}: expected one of {', '.join(allowed)}")
    return value


def _number(declared: Mapping[str, Any], key: str) -> int | None:
    value = declared.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise UsageError(f"[answer] {key}={value!r}: expected the number of a class")
    return value


def _check_keys(declared: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in sorted(set(declared) - set(known)):
        raise unknown(f"key of {where}", key, known)

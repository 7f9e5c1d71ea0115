"""From a model and its kind of answer to the names that its targets are made of."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from agnostic.converters.shapes import infer, shape_of
from agnostic.engine.answer import Answer, Head
from agnostic.engine.naming import NamedHead, Names
from agnostic.engine.signature import class_axis_of, stored_shape, without_batch

if TYPE_CHECKING:
    from agnostic.engine.model import Model

Shapes = Mapping[str, tuple[int | None, ...]]


def names_of(model: "Model") -> Names:
    """Collect the names of outputs, layers and classes."""
    answer = model.answer
    shapes = {item.name: without_batch(item.shape) for item in model.outputs}
    shapes |= {layer.name: stored_shape(layer) for layer in model.layers if layer.name not in shapes}
    scores = {head.output: model.scores_of(head.output) for head in answer.heads}
    shapes |= {name: _shape(model, head, name, shapes) for head, name in scores.items()}
    only = len(answer.heads) == 1
    axis_of = _axis_on_map if answer.kind == "segmentation" else class_axis_of
    heads = tuple(
        _named(head, scores[head.output], shapes, model.labels if only else None, axis_of) for head in answer.heads
    )
    first = heads[0]
    # The labels of boxes are no entries of one axis; whether they fit is seen from their layout.
    labels = model.labels if answer.kind == "boxes" else first.labels
    layers = {layer.name: layer for layer in model.layers}
    return Names(
        first.scores, first.axis, shapes, layers, labels, heads if answer.by_name else (), _instead(answer),
        _classes_of_boxes(answer, shapes), answer.kind,
    )  # fmt: skip


def _shape(model: "Model", output: str, name: str, shapes: Shapes) -> tuple[int | None, ...]:
    """The shape of the scores: that of the output, but where this names the highest of them."""
    if name in shapes:
        return shapes[name]
    found = shape_of(infer(model.proto).get(name)) if model.answer.kind == "segmentation" else None
    return found[1:] if found else shapes[output]


def _named(
    head: Head, scores: str, shapes: Shapes, declared: tuple[str, ...] | None,
    axis_of: Callable[[tuple[int | None, ...], int], int],
) -> NamedHead:  # fmt: skip
    labels, shape = head.labels or declared or (), shapes[scores]
    axis = axis_of(shape, len(labels))
    count = (shape[axis] if axis < len(shape) else None) if shape else 1
    return NamedHead(head.output, scores, axis, labels if labels and count in (None, len(labels)) else None, count)


def _axis_on_map(shape: tuple[int | None, ...], labels: int) -> int:
    """The axis of the classes beside two axes of places: as long as the labels, else the shorter one of both ends.

    >>> _axis_on_map((1, 8, 8), 0), _axis_on_map((None, None, 21), 0), _axis_on_map((8, 8, 8), 0)
    (0, 2, 0)
    """
    if labels and shape.count(labels) == 1:
        return shape.index(labels)
    first, last = (size if size is not None else float("inf") for size in (shape[0], shape[-1]))
    return 0 if first <= last else len(shape) - 1


def _instead(answer: Answer) -> str:
    """What to say to someone who asks for a class of a model that has no score for one."""
    if answer.kind == "boxes":
        return "the model answers with boxes: name one of them as box:0, or what it is not as box:0/CLASS"
    if answer.kind == "embedding":
        return (
            "the model answers with an embedding: name what it is compared with as like:FILE, or one of its numbers as "
            f"{answer.heads[0].output}:0"
        )
    return ""


def _classes_of_boxes(answer: Answer, shapes: Shapes) -> int | None:
    """How many classes a detector tells, where its shapes say so."""
    layout = answer.layout
    if layout is None:
        return None
    name, extra = layout.boxes, {"yolov8": 4, "yolov5": 5}.get(layout.name, 0)
    if extra == 0:
        if layout.scores is None or layout.labels is not None:
            return None
        name, extra = layout.scores, int(layout.background is not None)
    shape = shapes[name]
    size = (shape[0] if layout.name == "yolov8" else shape[-1]) if shape else None
    return None if size is None else size - extra

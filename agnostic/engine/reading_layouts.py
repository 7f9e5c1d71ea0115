"""From the section `[answer]` of kind `boxes` to a layout that fits the outputs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from agnostic.engine.layouts import LAYOUTS, Activation, Coordinates, Layout, Scale
from agnostic.engine.signature import Tensor
from agnostic.errors import UsageError, unknown

# What a layout is unless the declaration says otherwise.
_USUAL: dict[str, dict[str, Any]] = {
    "yolov5": {"coordinates": "cxcywh", "overlap": 0.45},
    "yolov8": {"coordinates": "cxcywh", "overlap": 0.45},
    "rows": {},
    "ssd": {},
    "detr": {"coordinates": "cxcywh", "scale": "share", "activation": "softmax", "background": -1, "threshold": 0.5},
}
# The names that exporters give to outputs, by what they hold.
_NAMES = {
    "boxes": ("boxes", "pred_boxes", "detection_boxes", "dets"),
    "scores": ("scores", "logits", "pred_logits", "detection_scores"),
    "labels": ("labels", "classes", "detection_classes", "class_idx"),
    "count": ("num_detections", "num_dets"),
}


def read_layout(declared: Mapping[str, Any], outputs: tuple[Tensor, ...], classes: int = 0) -> Layout:
    """Read how boxes are written down.

    Args:
        declared: the section.
        outputs: of the graph.
        classes: how many class names the model declares; 0 where it declares none.

    Raises:
        UsageError: an unknown layout or value, an output that does not exist, or shapes that do not fit.
    """
    name = declared.get("layout")
    if name not in LAYOUTS:
        raise UsageError(f"[answer] layout={name!r}: expected one of {', '.join(LAYOUTS)}")
    given = {**_USUAL[name], **{key: _value(key, declared[key]) for key in declared if key not in ("kind", "layout")}}
    if given.get("activation") == "sigmoid" and "background" not in declared:
        given.pop("background", None)
    tensors = {item.name: item for item in outputs}
    found = {role: _output(role, given.pop(role, None), tensors, _is_needed(name, role)) for role in _NAMES}
    roles: dict[str, Any] = {role: item.name for role, item in found.items() if item is not None}
    layout = Layout(name, **roles, **given)
    if name == "ssd" and layout.labels is None and "overlap" not in declared:
        layout = replace(layout, overlap=0.45)
    _check_shapes(layout, tensors, classes)
    return replace(layout, row_by_row=_varies(layout, tensors))


def _value(key: str, value: Any) -> Any:
    allowed = {"coordinates": get_args(Coordinates), "scale": get_args(Scale), "activation": get_args(Activation)}
    if key in allowed and value not in allowed[key]:
        raise UsageError(f"[answer] {key}={value!r}: expected one of {', '.join(allowed[key])}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in ("threshold", "overlap") and not (is_number and 0 <= value <= 1):
        raise UsageError(f"[answer] {key}={value!r}: expected a number from 0 to 1")
    if key == "background" and (not is_number or not isinstance(value, int)):
        raise UsageError(f"[answer] background={value!r}: expected the number of a class")
    if key in _NAMES and not isinstance(value, str):
        raise UsageError(f"[answer] {key}={value!r}: expected the name of an output")
    return value


def _is_needed(layout: str, role: str) -> bool:
    return role == "boxes" or (role == "scores" and layout in ("ssd", "detr"))


def _output(role: str, given: str | None, tensors: Mapping[str, Tensor], needed: bool) -> Tensor | None:
    """Find the output that holds something: the one that is named, or one that exporters call so."""
    if given is not None:
        if given not in tensors:
            raise UsageError(f"[answer] {role}: {unknown('output', given, tensors)}")
        return tensors[given]
    if role == "boxes" and len(tensors) == 1:
        return next(iter(tensors.values()))
    found = next((tensors[name] for name in _NAMES[role] if name in tensors), None)
    if found is None and needed:
        raise UsageError(f"[answer] {role}: say which output holds the {role}; there are {', '.join(tensors)}")
    return found


def _check_shapes(layout: Layout, tensors: Mapping[str, Tensor], classes: int) -> None:
    shape = tensors[layout.boxes].shape
    if not shape:
        return  # not declared: it is seen when the model runs
    if layout.name in ("yolov5", "yolov8"):
        _check_dense(layout, shape, classes)
    elif shape[-1] != (6 if layout.name == "rows" else 4) and isinstance(shape[-1], int):
        numbers = "6 (four sides, score, label)" if layout.name == "rows" else "4"
        raise _misfit(layout, shape, f"[..., {numbers}]")
    if layout.name == "ssd" and layout.labels is None and layout.scores is not None:
        scores = tensors[layout.scores].shape
        if len(scores) < len(shape):
            raise UsageError(
                f"[answer] layout='ssd': {layout.scores!r} {list(scores)} holds one score for each box, so the classes "
                "stand elsewhere: say where with labels = OUTPUT"
            )


def _check_dense(layout: Layout, shape: tuple[int | str, ...], classes: int) -> None:
    extra = 5 if layout.name == "yolov5" else 4
    wanted = f"[n, anchors, {extra} + classes]" if layout.name == "yolov5" else f"[n, {extra} + classes, anchors]"
    if len(shape) != 3:
        raise _misfit(layout, shape, wanted)
    size = shape[2 if layout.name == "yolov5" else 1]
    if isinstance(size, int) and (size <= extra or (classes and size != extra + classes)):
        raise _misfit(
            layout, shape, wanted + (f", which is {extra + classes} with {classes} labels" if classes else "")
        )


def _misfit(layout: Layout, shape: tuple[int | str, ...], wanted: str) -> UsageError:
    return UsageError(
        f"[answer] layout={layout.name!r} does not fit: {layout.boxes!r} has the shape {list(shape)}, expected {wanted}"
    )


def _varies(layout: Layout, tensors: Mapping[str, Tensor]) -> bool:
    """Whether the number of boxes is not fixed: those of several inputs then do not fit into one array."""
    shape = tensors[layout.boxes].shape
    if len(shape) < 3:
        return True
    return not (layout.is_raw or isinstance(shape[1], int))

"""What Ultralytics' exporter writes into the metadata of a detector: its task, its class names, its picture size.

The keys `task`, `names` and `imgsz` hold Python literals; they are read as such and never run.
"""

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple

import onnx

_LONGEST = 2**16
_GREY = {"layout": "NCHW", "channels": "RGB", "scale": 1 / 255, "mean": [0.0], "std": [1.0], "resize": "pad"}


class Declared(NamedTuple):
    """Class names by number, the way from pixels to the input, and the section `[answer]`."""

    labels: Mapping[Any, Any]
    preprocess: Mapping[str, Any]
    answer: Mapping[str, Any]


def declared(proto: onnx.ModelProto) -> Declared | None:
    """Read the metadata of an exported detector; None where it is none, or not as the exporter writes it."""
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    names, size = (_literal(entries.get(key, "")) for key in ("names", "imgsz"))
    if entries.get("task") != "detect" or not isinstance(names, dict) or not names or not _is_size(size):
        return None
    layout = _layout(proto, len(names))
    if layout is None:
        return None
    return Declared(names, {**_GREY, "size": size}, {"kind": "boxes", "layout": layout})


def _literal(text: str) -> Any:
    if len(text) > _LONGEST:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(side, int) and side > 0 for side in value)


def _layout(proto: onnx.ModelProto, classes: int) -> str | None:
    """Tell the layouts apart by the first output: of YOLOv8 and later, of YOLOv5, or with overlaps dropped."""
    sizes = [dim.dim_value for dim in proto.graph.output[0].type.tensor_type.shape.dim]
    if len(sizes) != 3:
        return None
    found = {"yolov8": sizes[1] == 4 + classes, "yolov5": sizes[2] == 5 + classes, "rows": sizes[2] == 6}
    return next((name for name, fits in found.items() if fits), None)

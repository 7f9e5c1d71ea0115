"""What a model says, laid out as its kind of answer is read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agnostic.cli import common

Report = Mapping[str, Any]
Column = tuple[str, Callable[[Report], str]]

_WORDS = ("name", "box", "output", "unit", "target")


def predictions_table(kind: str, predictions: Sequence[Report]) -> Any:
    """Lay out predictions: classes with scores and probabilities, values with units, boxes with their sides."""
    columns = list(_COLUMNS[kind])
    if any("output" in item for item in predictions):
        columns = [("target", lambda item: f"{item['output']}:{item['index']}"), *columns[1:]]
        if any("unit" in item for item in predictions) and kind != "regression":
            columns.append(("unit", _unit))
    rows = common.table(*(name for name, _ in columns), right=tuple(name for name, _ in columns if name not in _WORDS))
    for item in predictions:
        rows.add_row(*(common.plain(write(item)) for _, write in columns))
    return rows


def _number(item: Report) -> str:
    return str(item["index"])


def _name(item: Report) -> str:
    return str(item["name"])


def _score(item: Report) -> str:
    return f"{item['score']:.5g}"


def _chance(item: Report) -> str:
    return "" if item["probability"] is None else f"{item['probability']:.3f}"


def _unit(item: Report) -> str:
    return str(item.get("unit", ""))


def _side(at: int) -> Callable[[Report], str]:
    return lambda item: f"{item['box'][at]:.1f}"


_CLASSES: tuple[Column, ...] = (
    ("class", _number),
    ("name", _name),
    ("score", _score),
    ("probability", _chance),
)
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "classes": _CLASSES,
    "labels": _CLASSES,
    "regression": (("number", _number), ("name", _name), ("value", _score), ("unit", _unit)),
    "boxes": (
        ("box", lambda item: f"box:{item['index']}"),
        ("name", _name),
        ("score", _chance),
        ("left", _side(0)),
        ("top", _side(1)),
        ("right", _side(2)),
        ("bottom", _side(3)),
    ),
    "segmentation": (
        ("class", _number),
        ("name", _name),
        ("share", lambda item: f"{item['share']:.1%}"),
        ("score there", _score),
    ),
    "embedding": (("embedding", _name), ("length", _score)),
}

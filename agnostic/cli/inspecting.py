"""`agnostic inspect` and `agnostic methods`: what a model is made of, and what can be asked of it."""

import json as jsonlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agnostic import models
from agnostic.cli import common
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError
from agnostic.inputs.image import declared_or_assumed, picture_input
from agnostic.inputs.text_facts import summary
from agnostic.methods import Method, all_methods
from agnostic.summarizing import find
from agnostic.summary import GlobalMethod, global_methods

# What the methods of `agnostic summarize` need.
OF_DATA = "data set"


def inspect(source: str, how: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what a model is made of."""
    model = load(source, **how)
    if as_json:
        common.print_json(as_mapping(model))
        return 0
    console = common.stdout()
    console.print(f"[bold]{model.name}[/bold]  {model.path or ''}", markup=True)
    console.print(_facts_table(model))
    console.print(_layers_table(model))
    for line in (*model.notes, *_preprocess(model)[1]):
        common.note(line)
    return 0


def as_mapping(model: Model) -> dict[str, Any]:
    """Describe a model in plain JSON values."""
    preprocess, notes = _preprocess(model)
    return {
        "name": model.name,
        "path": str(model.path) if model.path else None,
        "sha256": model.sha256,
        "opset": {item.domain or "ai.onnx": item.version for item in model.proto.opset_import},
        "producer": model.proto.producer_name or None,
        "inputs": [_tensor(item) for item in model.inputs],
        "outputs": [_tensor(item) for item in model.outputs],
        "answer": _answer(model),
        "explained": model.scores_tensor,
        "preprocess": preprocess.as_dict() if preprocess else None,
        "text": summary(model),
        "labels": list(model.labels) if model.labels else None,
        "declared": {
            name: {key: _short(item) for key, item in section.items()} for name, section in model.declared.items()
        },
        "layers": [asdict(layer) for layer in model.layers],
        "notes": [*model.notes, *notes],
    }


def _tensor(item: Any) -> dict[str, Any]:
    return {"name": item.name, "dtype": str(item.dtype), "shape": list(item.shape)}


def _answer(model: Model) -> dict[str, Any]:
    """The kind of answer, and of boxes how they are written down."""
    layout = model.answer.layout
    heads = [head.output for head in model.answer.heads]
    return {"kind": model.answer.kind, "outputs": heads, "layout": asdict(layout) if layout is not None else None}


def _preprocess(model: Model) -> tuple[Preprocess | None, tuple[str, ...]]:
    try:
        return declared_or_assumed(model, picture_input(model))
    except InputError:
        return None, ()


def _facts_table(model: Model) -> Any:
    described = as_mapping(model)
    rows = common.table("", "")
    rows.show_header = False
    rows.add_row("sha256", described["sha256"])
    rows.add_row("opset", ", ".join(f"{domain} {version}" for domain, version in described["opset"].items()))
    for kind, tensors in (("input", model.inputs), ("output", model.outputs)):
        for item in tensors:
            rows.add_row(kind, common.plain(str(item)))
    declared = "declared" if "answer" in model.declared else "found in the graph, or assumed"
    name = f" ({model.answer.layout.name})" if model.answer.layout is not None else ""
    rows.add_row("answer", common.plain(f"{model.answer.kind}{name}, {declared}"))
    if model.scores_tensor not in [item.name for item in model.outputs]:
        rows.add_row("explained", common.plain(f"{model.scores_tensor}  (the scores before their softmax)"))
    if described["text"] is not None:
        rows.add_row("text", common.plain(described["text"]))
    else:
        rows.add_row("preprocess", common.plain(_preprocess_line(described["preprocess"])))
    rows.add_row("labels", common.plain(_labels_line(model)))
    for name, section in model.declared.items():
        rows.add_row(name, common.plain(_section_line(section)))
    return rows


def _preprocess_line(values: Mapping[str, Any] | None) -> str:
    if values is None:
        return "none: no input has the axes of a picture"
    height, width = values["size"]
    numbers = ", ".join(f"{name} {jsonlib.dumps(values[name])}" for name in ("scale", "mean", "std"))
    return (
        f"{values['channels']} {values['layout']} {height}x{width} {values['resize']}, {numbers}  ({values['origin']})"
    )


def _short(value: Any) -> Any:
    """A declared value as it is, but for texts of the length of a file."""
    return f"{value[:1000]}…" if isinstance(value, str) and len(value) > 1000 else value


def _section_line(section: Mapping[str, Any]) -> str:
    """Sum up what a model declares in a section: `30 columns: age, sex, fare, ...; layout NCT`."""
    parts = []
    for key, value in section.items():
        if isinstance(value, Mapping | list) and value:
            names = [str(item.get("name", "?")) if isinstance(item, Mapping) else str(item) for item in value]
            parts.append(f"{len(value)} {key}: {', '.join(names[:3])}{', ...' * (len(names) > 3)}")
        else:
            text = str(value)
            parts.append(f"{key} {text if len(text) <= 60 else text[:59] + '…'}")
    return "; ".join(parts)


def _labels_line(model: Model) -> str:
    if not model.labels:
        return "none declared; give --labels FILE, or labels in MODEL.agnostic.toml"
    return f"{len(model.labels)}: {'; '.join(model.labels[:3])}{'; ...' if len(model.labels) > 3 else ''}"


def _layers_table(model: Model) -> Any:
    rows = common.table("layer", "op", "kind", "shape", right=())
    for layer in model.layers:
        shape = " x ".join("?" if size is None else str(size) for size in layer.shape)
        rows.add_row(common.plain(layer.name), layer.op, layer.kind, shape)
    return rows


def methods(name: str | None, *, as_json: bool) -> int:
    """Print all methods, one method's options, or what can run on a model."""
    if name is None:
        return _list_methods(as_json)
    if name in _names():
        return _show_method(find(name), as_json)
    if name in models.names() or Path(name).exists():
        return _list_available(load(name), as_json)
    find(name)
    return 0


def _names() -> set[str]:
    return {item.name for item in all_methods()} | {item.name for item in global_methods()}


def _list_methods(as_json: bool) -> int:
    if as_json:
        common.print_json({"methods": [*map(_method, all_methods()), *map(_method, global_methods())]})
        return 0
    rows = common.table("method", "needs", "what it does")
    for item in all_methods():
        rows.add_row(item.name, ", ".join(item.needs), item.summary)
    for of_data in global_methods():
        rows.add_row(of_data.name, OF_DATA, of_data.summary)
    common.stdout().print(rows)
    return 0


def _show_method(method: Method | GlobalMethod, as_json: bool) -> int:
    if as_json:
        common.print_json(_method(method))
        return 0
    console = common.stdout()
    console.print(f"[bold]{method.name}[/bold]  {method.summary}", markup=True)
    console.print(common.option_rows(method.options))
    return 0


def _list_available(model: Model, as_json: bool) -> int:
    rows = model.methods()
    if as_json:
        common.print_json({"model": model.name, "methods": [row._asdict() for row in rows]})
        return 0
    shown = common.table("method", "runs", "why not")
    for row in rows:
        shown.add_row(row.name, "yes" if row.runs else "no", common.plain(row.reason))
    common.stdout().print(shown)
    return 0


def _method(method: Method | GlobalMethod) -> dict[str, Any]:
    options = common.option_mapping(method.options)
    needs = list(method.needs) if isinstance(method, Method) else [OF_DATA]
    return {"name": method.name, "needs": needs, "summary": method.summary, "options": options}

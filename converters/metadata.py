"""What a converted model says about itself: the writers of every `agnostic.*` key of the ONNX metadata.

========================  ============================================================================================
``agnostic.labels``       list of class names
``agnostic.preprocess``   how a picture becomes the input, as `engine.preprocess` reads it
``agnostic.table``        ``{"columns": [{"name", "type": "number"|"category", "categories"?, "input", "index"?}]}``;
                          ``index`` is the place in that input, left out where the input is the column
``agnostic.text``         ``{"kind": "strings"|"tokens", "tokenizer": content of tokenizer.json, or its file's name}``
``agnostic.conversion``   where the model comes from and how far it is from its source
========================  ============================================================================================
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from onnx import ModelProto

from agnostic.converters.conversion import Facts

# A tokenizer larger than this stays a file beside the model.
LARGEST_TOKENIZER = 8 * 2**20
PREFIX = "agnostic."


def describe(proto: ModelProto, facts: Facts, conversion: Mapping[str, Any]) -> None:
    """Write facts and the record of the conversion into the model, in place."""
    record = {"labels": list(facts.labels) if facts.labels else None, "preprocess": facts.preprocess}
    record |= {"table": facts.table, "text": facts.text, "conversion": dict(conversion)}
    for key, value in record.items():
        if value is not None:
            set_entry(proto, PREFIX + key, json.dumps(value, ensure_ascii=False, allow_nan=False))


def set_entry(proto: ModelProto, key: str, value: str) -> None:
    """Write one key of the metadata, over what it was."""
    kept = [(entry.key, entry.value) for entry in proto.metadata_props if entry.key != key]
    del proto.metadata_props[:]
    for name, text in (*kept, (key, value)):
        proto.metadata_props.add(key=name, value=text)


def read_conversion(proto: ModelProto) -> dict[str, Any]:
    """Read the record of the conversion back; empty for a model that was not converted here."""
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    return dict(json.loads(entries.get(PREFIX + "conversion", "{}")))


def as_labels(classes: Any) -> list[str] | None:
    """Turn the classes of an estimator into names; None where they only count up from 0.

    >>> as_labels(["ham", "spam"]), as_labels([3, 8]), as_labels([0, 1])
    (['ham', 'spam'], ['3', '8'], None)
    """
    found = [item.item() if hasattr(item, "item") else item for item in (classes if classes is not None else [])]
    whole = [int(item) if isinstance(item, float) and item.is_integer() else item for item in found]
    counted = whole == list(range(len(whole))) and not any(isinstance(item, bool) for item in whole)
    return None if not whole or counted else [str(item) for item in whole]


def column(
    name: str, source: str, index: int | None = None, categories: Sequence[Any] | None = None, *, text: bool = False
) -> dict[str, Any]:
    """Describe one column of a table.

    Args:
        name: what a person calls it.
        source: the input that holds it.
        index: its place in that input; None where the input is the column.
        categories: the values it may have, where these are known.
        text: it holds words; a column of numbers otherwise.
    """
    entry: dict[str, Any] = {"name": name, "type": "category" if text or categories is not None else "number"}
    if categories is not None:
        entry["categories"] = [item.item() if hasattr(item, "item") else item for item in categories]
    entry["input"] = source
    return entry if index is None else {**entry, "index": index}


def number_columns(names: Sequence[str] | None, count: int, source: str) -> dict[str, Any] | None:
    """Describe a table whose columns are numbers side by side in one input; None where they have no names."""
    if names is None or len(names) != count:
        return None
    return {"columns": [column(str(name), source, place) for place, name in enumerate(names)]}


def image_processor(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read the `preprocessor_config.json` of a Hugging Face folder as a declaration of preprocessing."""
    size = values.get("crop_size") if values.get("do_center_crop") else values.get("size", 224)
    if isinstance(size, Mapping):
        short = size.get("shortest_edge", 224)
        size = (size.get("height", short), size.get("width", short))
    normalise = values.get("do_normalize", True)
    return {
        "layout": "NCHW",
        "size": size,
        "channels": "RGB",
        "scale": values.get("rescale_factor", 1 / 255) if values.get("do_rescale", True) else 1.0,
        "mean": values.get("image_mean", 0.0) if normalise else 0.0,
        "std": values.get("image_std", 1.0) if normalise else 1.0,
        "resize": "crop" if values.get("do_center_crop") else "squash",
    }

"""Keras and TensorFlow to ONNX: Keras models, `.keras` and `.h5` files, and SavedModel folders.

Where TensorFlow is installed, tf2onnx writes the graph; where Keras runs on torch, torch's exporter does.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from onnx import ModelProto

from agnostic.converters import tensorflow_files, tidy
from agnostic.converters.conversion import Array, Converted, Facts, Feeds, Request, matched, needs_example
from agnostic.errors import ConversionError

_OPSET = 17


def convert(source: Any, request: Request) -> Converted:
    """Convert a Keras model, the file of one, or a SavedModel folder.

    Raises:
        ConversionError: the file would run code or is broken, or a layer is not known to the exporter.
    """
    if "keras" not in sys.modules and find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    if isinstance(source, Path) and source.is_dir():
        return _from_function(tensorflow_files.open_saved_model(source), request)
    if isinstance(source, Path):
        source = tensorflow_files.open_keras(source)
    if not hasattr(source, "layers"):
        source = getattr(source, "signatures", {}).get("serving_default") or _no_network(source)
        return _from_function(source, request)
    return _from_torch(source, request) if _backend() == "torch" else _from_tensorflow(source, request)


def _no_network(source: Any) -> Any:
    raise ConversionError(
        f"a {type(source).__name__} has no serving function; save it with tf.saved_model.save and signatures"
    )


def _backend() -> str:
    import keras

    return str(keras.backend.backend()) if hasattr(keras, "backend") else "tensorflow"


def _from_torch(model: Any, request: Request) -> Converted:
    """Let torch's exporter write the graph: on this backend, a Keras model is a torch module."""
    from agnostic.converters import from_torch

    shapes = request.shapes or tuple(_sizes(value) for value in model.inputs)
    found = from_torch.convert(model, Request(request.example, shapes, request.opset))
    numbered, names = [v.name for v in found.proto.graph.input], [_plain(value.name) for value in model.inputs]
    tidy.rename(found.proto, dict(zip(numbered, names, strict=True)))

    def answer(feeds: Feeds) -> Mapping[str, Array]:
        return found.answer({old: feeds[new] for old, new in zip(numbered, names, strict=True)})

    likeness = {new: found.likeness[old] for old, new in zip(numbered, names, strict=True)}
    return Converted(found.proto, answer, _facts(model, found.proto), likeness, found.notes)


def _from_tensorflow(model: Any, request: Request) -> Converted:
    import tensorflow as tf

    shapes = request.shapes or tuple(tuple(value.shape[1:]) for value in model.inputs)
    names = [_plain(value.name) for value in model.inputs]
    specs = [
        tf.TensorSpec((None, *shape), value.dtype, name=name)
        for value, shape, name in zip(model.inputs, shapes, names, strict=True)
    ]
    structure = getattr(model, "_inputs_struct", model.inputs)
    function = tf.function(lambda *xs: model(_like(structure, names, xs), training=False), input_signature=specs)
    outputs = [_plain(value.name) for value in model.outputs] if len(model.outputs) > 1 else ["output"]
    found = _written(function, specs, outputs, request)
    return Converted(found.proto, found.answer, _facts(model, found.proto), found.likeness)


def _from_function(function: Any, request: Request) -> Converted:
    """Convert the serving function of a SavedModel."""
    import tensorflow as tf

    given = function.structured_input_signature[1]
    names, keys = sorted(given), sorted(function.structured_outputs)
    specs = [tf.TensorSpec(given[name].shape, given[name].dtype, name=name) for name in names]
    asked = tf.function(
        lambda *xs: [function(**dict(zip(names, xs, strict=True)))[key] for key in keys], input_signature=specs
    )
    return _written(asked, specs, ["output"] if len(keys) == 1 else keys, request)


def _written(function: Any, specs: Sequence[Any], outputs: list[str], request: Request) -> Converted:
    """Write a TensorFlow function with tf2onnx."""
    import tensorflow as tf
    import tf2onnx

    proto, _ = tf2onnx.convert.from_function(function, list(specs), opset=request.opset or _OPSET)
    inputs = [spec.name for spec in specs]
    if stray := [value.name for value in proto.graph.input if value.name.removesuffix(":0") not in inputs]:
        raise ConversionError(
            f"tf2onnx leaves {', '.join(stray)} without a value: a layer of this model is not known to it; "
            "convert it on Keras' torch backend (KERAS_BACKEND=torch)"
        )
    proto = tidy.tidy(proto, {**tidy.ends(proto, (), outputs), **readable(proto)})
    kinds = dict(zip(inputs, (spec.dtype for spec in specs), strict=True))

    def answer(feeds: Feeds) -> dict[str, Array]:
        made = tf.nest.flatten(function(*(tf.constant(feeds[name], kinds[name]) for name in inputs)))
        return {name: value.numpy() for name, value in zip(outputs, made, strict=True)}

    likeness = matched(request, inputs) if request.example else {}
    return Converted(proto, answer, likeness=likeness)


def readable(proto: ModelProto) -> dict[str, str]:
    """Propose names for a graph of tf2onnx: paths of layers, without output numbers and shared beginnings.

    `StatefulPartitionedCall/model_1/conv_1/Relu:0` is `conv/Relu`, where no layer is called `conv` beside `conv_1`.
    """
    ends = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    made = [name for node in proto.graph.node for name in node.output if name and name not in ends]
    # What tf2onnx added is numbered with `__`: the operations themselves come first to the plain names.
    paths = {name: _path(name) for name in sorted(made, key=lambda name: "__" in name)}
    scopes = {path[0] for path in paths.values() if len(path) > 1}
    if len(scopes) == 1:
        paths = {name: path[1:] if path[0] in scopes and len(path) > 1 else path for name, path in paths.items()}
    parts = {part for path in paths.values() for part in path}
    plain = {part: part.removesuffix("_1") for part in parts if part.removesuffix("_1") not in parts}
    names = {name: "/".join(plain.get(part, part) for part in path) for name, path in paths.items()}
    names |= {v.name: v.name.removesuffix(":0").removeprefix("serving_default_") for v in proto.graph.input}
    return {old: new for old, new in names.items() if new and old != new}


def _path(name: str) -> list[str]:
    # Operations that were fused carry all their names; the numbers behind are outputs and copies.
    first = re.sub(r"(:\d+|__\d+)+$", "", name.partition(";")[0])
    kept = [part for part in first.split("/") if part and not part.startswith("StatefulPartitionedCall")]
    return kept or [first]


def _facts(model: Any, proto: ModelProto) -> Facts:
    """Tell that a model eats raw pixels where its first layer brings them into shape."""
    first = next((layer for layer in model.layers if type(layer).__name__ != "InputLayer"), None)
    sizes = [dim.dim_value for dim in proto.graph.input[0].type.tensor_type.shape.dim]
    is_picture = len(proto.graph.input) == 1 and len(sizes) == 4 and sizes[3] in (1, 3, 4) and min(sizes[1:3]) > 0
    if not is_picture or type(first).__name__ not in ("Rescaling", "Normalization"):
        return Facts()
    channels = {1: "L", 3: "RGB", 4: "RGBA"}[sizes[3]]
    return Facts(preprocess={"layout": "NHWC", "size": sizes[1:3], "channels": channels, "scale": 1.0})


def _sizes(value: Any) -> tuple[int, ...]:
    if any(size is None for size in value.shape[1:]):
        raise needs_example("the model")
    return tuple(int(size) for size in value.shape[1:])


def _like(structure: Any, names: Sequence[str], values: Sequence[Any]) -> Any:
    """Put tensors into what the model's call takes: one, a list, or a mapping."""
    if isinstance(structure, Mapping):
        return dict(zip(names, values, strict=True))
    return list(values) if isinstance(structure, list | tuple) and len(values) > 1 else values[0]


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name.partition(":")[0])

"""TensorFlow Lite to ONNX, by tf2onnx. A flatbuffer holds a graph and numbers, and no code."""

from pathlib import Path
from typing import Any

import numpy as np

from agnostic.converters import tidy
from agnostic.converters.conversion import Array, Converted, Feeds, Request, by_rows, matched
from agnostic.converters.from_keras import readable
from agnostic.errors import ConversionError

_OPSET = 17


def convert(source: Any, request: Request) -> Converted:
    """Convert a `.tflite` file. Its batch of one is freed where the graph allows it.

    Raises:
        ConversionError: the file is broken, or has an operator that tf2onnx does not know.
    """
    import tensorflow as tf
    import tf2onnx

    path = Path(source)
    try:
        interpreter = tf.lite.Interpreter(model_path=str(path))
        interpreter.allocate_tensors()
    except ValueError as error:
        raise ConversionError(f"{path.name} is damaged ({str(error)[:160]}); copy or convert it again") from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    proto, _ = tf2onnx.convert.from_tflite(str(path), opset=request.opset or _OPSET)
    names = ["output"] if len(outputs) == 1 else [f"output_{place}" for place in range(len(outputs))]
    order = [value.name for value in proto.graph.output]
    details = sorted(outputs, key=lambda item: order.index(item["name"]) if item["name"] in order else 0)
    proto = tidy.tidy(proto, {**tidy.ends(proto, (), names), **readable(proto)})
    entries = [value.name for value in proto.graph.input]

    def one(feeds: Feeds) -> dict[str, Array]:
        for entry, item in zip(entries, inputs, strict=True):
            interpreter.set_tensor(item["index"], feeds[entry].astype(item["dtype"]))
        interpreter.invoke()
        return {n: np.array(interpreter.get_tensor(i["index"])) for n, i in zip(names, details, strict=True)}

    likeness = matched(request, entries) if request.example else {}
    return Converted(proto, by_rows(one), likeness=likeness)

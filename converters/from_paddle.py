"""PaddlePaddle to ONNX by paddle2onnx: a saved program (`.pdmodel` or `.json`) beside its weights (`.pdiparams`)."""

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from agnostic.converters import tidy
from agnostic.converters.conversion import Array, Converted, Feeds, Request, matched, needs_example
from agnostic.converters.sources import paddle_files
from agnostic.errors import ConversionError

_OPSET = 16


def convert(source: Any, request: Request) -> Converted:
    """Convert a program file, its folder, or a `paddle.nn.Layer` (which needs an example).

    Raises:
        ConversionError: the files are not whole, or paddle2onnx does not know an operator.
    """
    if not isinstance(source, Path):
        return _from_layer(source, request)
    found = paddle_files(source)
    if found is None:
        raise ConversionError(f"{source.name}: the weights (.pdiparams) are not beside the program; copy both")
    return _from_files(*found, request)


def _from_layer(layer: Any, request: Request) -> Converted:
    """Save a layer as a program first: that is what the exporter reads."""
    import paddle

    if not request.example and not request.shapes:
        raise needs_example(f"the layer {type(layer).__name__}")
    shapes = request.shapes or tuple(array.shape[1:] for array in request.arrays())
    kinds = [str(array.dtype).replace("float64", "float32") for array in request.arrays()] or ["float32"] * len(shapes)
    specs = [
        paddle.static.InputSpec([None, *s], kind, f"input_{i}")
        for i, (s, kind) in enumerate(zip(shapes, kinds, strict=True))
    ]
    layer.eval()
    with tempfile.TemporaryDirectory(prefix="agnostic-") as folder:
        paddle.jit.save(layer, str(Path(folder) / "model"), input_spec=specs)
        found = paddle_files(Path(folder))
        if found is None:
            raise ConversionError(f"paddle.jit.save wrote no program for the layer {type(layer).__name__}")
        return _from_files(*found, request)


def _from_files(program: Path, weights: Path, request: Request) -> Converted:
    import paddle
    import paddle2onnx

    with tempfile.TemporaryDirectory(prefix="agnostic-") as folder:
        written = Path(folder) / "model.onnx"
        paddle2onnx.export(
            str(program), str(weights), str(written), opset_version=request.opset or _OPSET, verbose=False
        )
        if not written.is_file():
            raise ConversionError(f"paddle2onnx wrote nothing for {program.name}; is an operator of it unknown to it?")
        proto = onnx.load(written)
    layer = paddle.jit.load(str(program.with_suffix("")))
    layer.eval()
    count = len(proto.graph.output)
    outputs = ["output"] if count == 1 else [f"output_{place}" for place in range(count)]
    proto = tidy.tidy(proto, {**tidy.ends(proto, (), outputs), **_readable(proto)})
    inputs = [value.name for value in proto.graph.input]

    def answer(feeds: Feeds) -> dict[str, Array]:
        made = layer(*(paddle.to_tensor(np.ascontiguousarray(feeds[name])) for name in inputs))
        leaves = made if isinstance(made, list | tuple) else [made]
        return {name: np.asarray(leaf.numpy()) for name, leaf in zip(outputs, leaves, strict=True)}

    return Converted(proto, answer, likeness=matched(request, inputs) if request.example else {})


def _readable(proto: onnx.ModelProto) -> dict[str, str]:
    """Propose names: `p2o.pd_op.conv2d.0.0` is `conv2d.0`."""
    ends = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    made = [name for node in proto.graph.node for name in node.output if name not in ends]
    short = {name: re.sub(r"^p2o\.(pd_op\.)?(.+)\.0$", r"\2", name) for name in made}
    return {old: new for old, new in short.items() if old != new}

"""Writes a network as ONNX, one named tensor per layer: what the model builders share.

The tensor a person asks for carries the plain layer name (`fire2/squeeze`); the value just before its nonlinearity
is `fire2/squeeze/pre`. The bytes written depend on the arguments alone.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8  # the first that carries opset 17, so that older runtimes read the file too

Shape = Sequence[int | str]
Floats = NDArray[np.float32]


class GraphWriter:
    """Collects operators and weights in order, then closes them into one model."""

    def __init__(self) -> None:
        """Start with an empty graph."""
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def op(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add one operator, named after the tensor it makes, and return that name."""
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def weight(self, name: str, values: Floats) -> str:
        """Add one float32 array and return its name."""
        self._weights.append(numpy_helper.from_array(np.asarray(values, np.float32, order="C"), name))
        return name

    def integers(self, name: str, values: int | Sequence[int]) -> str:
        """Add a number or a row of them, int64, as shapes and indices want it, and return its name."""
        self._weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def linear(
        self, kind: str, x: str, layer: str, weight: Floats, bias: Floats, output: str, **attributes: Any
    ) -> str:
        """Add a Conv or Gemm whose parameters are `<layer>/weight` and `<layer>/bias`."""
        inputs = [x, self.weight(f"{layer}/weight", weight), self.weight(f"{layer}/bias", bias)]
        return self.op(kind, inputs, output, **attributes)

    def model(self, name: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> onnx.ModelProto:
        """Close the graph; inputs and outputs are float32, a word in a shape is a free axis."""
        graph = helper.make_graph(self._nodes, name, _ends(inputs), _ends(outputs), initializer=self._weights)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, producer_name="agnostic", ir_version=IR_VERSION, opset_imports=opsets)


def describe(
    model: onnx.ModelProto,
    doc: str,
    preprocess: Mapping[str, Any],
    labels: Sequence[str] | None = None,
    **sections: Mapping[str, Any],
) -> onnx.ModelProto:
    """Write in, in place, the origin, the class names (ImageNet's, where none are given), preprocessing and sections.

    A section says what else has to be known, such as `answer={"kind": "boxes", ...}`.
    """
    model.doc_string = doc
    named = json.dumps(imagenet_labels() if labels is None else labels, ensure_ascii=False)
    written = {f"agnostic.{name}": json.dumps(content) for name, content in sections.items()}
    helper.set_model_props(model, {"agnostic.labels": named, "agnostic.preprocess": json.dumps(preprocess), **written})
    return model


def imagenet_labels() -> list[str]:
    """Return the 1000 ImageNet class names in the order of the logits.

    >>> imagenet_labels()[281]
    'tabby, tabby cat'
    """
    names: list[str] = json.loads(resources.files(__package__).joinpath("imagenet_labels.json").read_text("utf-8"))
    return names


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise so that equal models give equal bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _ends(shapes: Mapping[str, Shape]) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

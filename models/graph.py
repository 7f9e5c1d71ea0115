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

    def model(
        self,
        name: str,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        *,
        type_of_inputs: int = TensorProto.FLOAT,
        domains: Sequence[str] = (),
    ) -> onnx.ModelProto:
        """Close the graph; outputs are float32, and inputs where nothing else is said; a word in a shape is free.

        Args:
            name: of the graph.
            inputs: shapes by name.
            outputs: shapes by name.
            type_of_inputs: one of TensorProto's element types.
            domains: of the operators beyond ONNX's own, in their version 1.
        """
        graph = helper.make_graph(
            self._nodes, name, _ends(inputs, type_of_inputs), _ends(outputs), initializer=self._weights
        )
        opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
        return helper.make_model(graph, producer_name="agnostic", ir_version=IR_VERSION, opset_imports=opsets)


def describe(
    model: onnx.ModelProto, doc: str, preprocess: Mapping[str, Any] | None, labels: Sequence[str] | None = None,
    **sections: Mapping[str, Any],
) -> onnx.ModelProto:  # fmt: skip
    """Write the origin, the class names (ImageNet's, where none are given) and how it is fed in, in place.

    Args:
        model: what is described.
        doc: its origin.
        preprocess: how pictures become inputs; None where it eats none.
        labels: the class names.
        **sections: what else it says of its inputs, such as `table`.
    """
    stated = {"labels": imagenet_labels() if labels is None else labels, "preprocess": preprocess, **sections}
    return declare(model, doc, **{name: value for name, value in stated.items() if value})


def declare(model: onnx.ModelProto, doc: str, **facts: Any) -> onnx.ModelProto:
    """Write the origin and what the model says of itself in, in place: each fact as JSON under `agnostic.<name>`."""
    model.doc_string = doc
    written = {f"agnostic.{name}": json.dumps(value, ensure_ascii=False) for name, value in facts.items()}
    helper.set_model_props(model, written)
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


def _ends(shapes: Mapping[str, Shape], kind: int = TensorProto.FLOAT) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, kind, shape) for name, shape in shapes.items()]

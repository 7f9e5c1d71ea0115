"""Attention operators that do everything in one node, written out so that their shares are a tensor with a name.

``ai.onnx.Attention`` is replaced by the function body of its schema, ``com.microsoft.Attention`` and
``com.microsoft.MultiHeadAttention`` by products, softmax and reshapes, which onnxruntime computes to the same values.
What remains closed are the forms for text generation, with past keys and values, and packed or quantised ones;
``closed`` names those that a model has.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, defs, helper, inliner, numpy_helper

from agnostic.converters.graph import Array, all_names, attribute, every_node, fresh, opset
from agnostic.converters.shapes import element_type, infer, shape_of
from agnostic.errors import ConversionError

MICROSOFT = "com.microsoft"
_OPENED = frozenset({"Attention", "MultiHeadAttention"})
_CLOSED = frozenset({"DecoderAttention", "DecoderMaskedMultiHeadAttention", "DecoderMaskedSelfAttention"})
_CLOSED |= {"GatedRelativePositionBias", "GroupQueryAttention", "LongformerAttention", "PackedAttention"}
_CLOSED |= {"PackedMultiHeadAttention", "PagedAttention", "QAttention", "QOrderedAttention", "SparseAttention"}
_STANDARD = ("", "ai.onnx")
_MASKED_OUT = -10000.0


def unfused(proto: ModelProto) -> ModelProto:
    """Write local functions and fused attention out; the model itself where it has neither.

    Raises:
        ConversionError: A fused attention has a form that cannot be opened.
    """
    model = proto
    if model.functions:
        model = inliner.inline_local_functions(model, convert_version=True)
    if any(node.domain in _STANDARD and node.op_type == "Attention" for node in model.graph.node):
        model = _by_schema(model)
    if any(node.domain == MICROSOFT and node.op_type in _OPENED for node in model.graph.node):
        model = _by_hand(model)
    return model


def closed(proto: ModelProto) -> tuple[str, ...]:
    """Name the kinds of fused attention in a model that nothing here can open."""
    kinds = {node.op_type for node in every_node(proto) if node.domain == MICROSOFT}
    return tuple(sorted(kinds & _CLOSED))


def _by_schema(proto: ModelProto) -> ModelProto:
    """Replace every ai.onnx Attention by the body of its schema, whose attributes all have to be written down."""
    model = ModelProto()
    model.CopyFrom(proto)
    schema = defs.get_schema("Attention", opset(model), "")
    for node in model.graph.node:
        if node.op_type == "Attention" and node.domain in _STANDARD:
            node.domain = ""
            given = {item.name for item in node.attribute}
            node.attribute.extend(
                item.default_value
                for name, item in schema.attributes.items()
                if name not in given and item.default_value.name
            )
    known = {value.name for value in (*model.graph.input, *model.graph.value_info, *model.graph.output)}
    # The inliner knows of no type that is not declared, those of weights included.
    model.graph.value_info.extend(value for name, value in infer(model).items() if name not in known)
    try:
        return inliner.inline_selected_functions(model, [("", "Attention")], inline_schema_functions=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[-200:]
        raise ConversionError(
            f"an Attention cannot be written out ({reason}): export the model without fused attention"
        ) from error


def _by_hand(proto: ModelProto) -> ModelProto:
    model = ModelProto()
    model.CopyFrom(proto)
    writer = _Writer(model)
    for node in proto.graph.node:
        if node.domain == MICROSOFT and node.op_type in _OPENED:
            writer.open(node)
        else:
            writer.nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(writer.nodes)
    model.graph.initializer.extend(writer.weights)
    return model


class _Writer:
    """Nodes and constants that are written in place of fused ones."""

    def __init__(self, proto: ModelProto) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.taken = all_names(proto)
        self.values = infer(proto)
        self.opset = opset(proto)
        self.at, self.type = "", int(TensorProto.FLOAT)

    def open(self, node: NodeProto) -> None:
        """Write one fused node out."""
        self.at = node.output[0]
        self.type = element_type(self.values.get(node.input[0])) or int(TensorProto.FLOAT)
        inputs = [*node.input, *[""] * (8 - len(node.input))]
        packed = node.op_type == "Attention"
        past = inputs[4:5] if packed else inputs[6:8]
        self._refuse_if(bool(any(past) or any(node.output[1:])), node, "past keys and values")
        self._refuse_if(bool(attribute(node, "do_rotary", 0)), node, "rotary positions")
        backwards = bool(attribute(node, "unidirectional", 0))
        self._refuse_if(backwards and self.opset < 14, node, "a mask that needs opset 14")
        query, key, value = self._packed(node, inputs) if packed else self._separate(node, inputs)
        mask, bias = (inputs[3], inputs[5]) if packed else (inputs[4], inputs[5])
        self._attend(node, (query, key, value), self._mask(node, mask), bias)

    def _packed(self, node: NodeProto, inputs: Sequence[str]) -> tuple[str, ...]:
        """Project the input to queries, keys and values by one weight."""
        shape = shape_of(self.values.get(inputs[1]))
        width = None if shape is None else shape[-1]
        self._refuse_if(width is None, node, "a weight of unknown size")
        sizes = attribute(node, "qkv_hidden_sizes") or [(width or 0) // 3] * 3
        joined = self._node("MatMul", [inputs[0], inputs[1]])
        joined = self._node("Add", [joined, inputs[2]]) if inputs[2] else joined
        return tuple(self._parts(joined, sizes, axis=2))

    def _separate(self, node: NodeProto, inputs: Sequence[str]) -> tuple[str, ...]:
        """Take queries, keys and values as they are given, (n, T, C) each, and add their biases."""
        shapes = [shape_of(self.values.get(name)) for name in inputs[:3]]
        plain = all(inputs[:3]) and all(shape is None or len(shape) == 3 for shape in shapes)
        self._refuse_if(not plain, node, "packed or cached keys and values")
        if not inputs[3]:
            return tuple(inputs[:3])
        bias_shape = shape_of(self.values.get(inputs[3]))
        widths = [shape[-1] if shape else None for shape in shapes]
        if None in widths and bias_shape is not None and bias_shape[0] is not None:
            widths = [bias_shape[0] // 3] * 3
        self._refuse_if(None in widths, node, "biases of unknown size")
        parts = self._parts(inputs[3], [width or 0 for width in widths], axis=0)
        return tuple(self._node("Add", [name, part]) for name, part in zip(inputs[:3], parts, strict=True))

    def _mask(self, node: NodeProto, mask: str) -> str:
        """Turn 1 for what may be seen and 0 for what may not into what is added to the scores; empty without a mask."""
        if not mask:
            return ""
        shape = shape_of(self.values.get(mask))
        self._refuse_if(shape is None or len(shape) not in (2, 3), node, "a mask of lengths")
        seen = self._node("Cast", [mask], to=self.type)
        hidden = self._node("Sub", [self._number(1.0), seen])
        raised = self._node("Mul", [hidden, self._number(attribute(node, "mask_filter_value", _MASKED_OUT))])
        return self._unsqueezed(raised, [1, 2] if len(shape or ()) == 2 else [1])

    def _attend(self, node: NodeProto, parts: Sequence[str], mask: str, bias: str) -> None:
        heads = attribute(node, "num_heads")
        query, value = (self._heads(part, heads, [0, 2, 1, 3]) for part in (parts[0], parts[2]))
        key = self._heads(parts[1], heads, [0, 2, 3, 1])
        scores = self._node("MatMul", [self._scaled(node, query), key])
        if attribute(node, "unidirectional", 0):
            scores = self._node("Add", [scores, self._causal(scores)])
        for more in filter(None, (bias, mask)):
            scores = self._node("Add", [scores, more])
        shares = self._node("Softmax", [scores], name="probabilities", axis=-1 if self.opset >= 13 else 3)
        mixed = self._node("MatMul", [shares, value])
        rows = self._node("Transpose", [mixed], perm=[0, 2, 1, 3])
        self.nodes.append(helper.make_node("Reshape", [rows, self._ints([0, 0, -1])], [self.at]))

    def _scaled(self, node: NodeProto, query: str) -> str:
        """Multiply queries (n, heads, T, d) by the node's scale, by default one over the root of d."""
        scale = attribute(node, "scale", 0.0)
        if scale:
            return self._node("Mul", [query, self._number(scale)])
        size = self._node("Gather", [self._node("Shape", [query]), self._ints([3])])
        return self._node("Div", [query, self._node("Sqrt", [self._node("Cast", [size], to=self.type)])])

    def _causal(self, scores: str) -> str:
        """Write what hides later places: (T, S), zero on and below the diagonal."""
        sizes = self._node("Slice", [self._node("Shape", [scores]), self._ints([2]), self._ints([4])])
        hidden = self._node("Expand", [self._number(_MASKED_OUT), sizes])
        return self._node("Trilu", [hidden, self._ints(1)], upper=1)

    def _heads(self, name: str, heads: int, order: list[int]) -> str:
        return self._node("Transpose", [self._node("Reshape", [name, self._ints([0, 0, heads, -1])])], perm=order)

    def _parts(self, name: str, sizes: Iterable[int], axis: int) -> list[str]:
        parts, start = [], 0
        for size in sizes:
            bounds = [self._ints([start]), self._ints([start + size]), self._ints([axis])]
            parts.append(self._node("Slice", [name, *bounds]))
            start += size
        return parts

    def _unsqueezed(self, name: str, axes: list[int]) -> str:
        if self.opset >= 13:
            return self._node("Unsqueeze", [name, self._ints(axes)])
        return self._node("Unsqueeze", [name], axes=axes)

    def _node(self, kind: str, inputs: Sequence[str], name: str = "", **attributes: Any) -> str:
        output = fresh(f"{self.at}/{name or kind.lower()}", self.taken)
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _ints(self, values: list[int] | int) -> str:
        return self._stored(np.array(values, np.int64))

    def _number(self, value: float) -> str:
        return self._stored(np.array(value, helper.tensor_dtype_to_np_dtype(self.type)))

    def _stored(self, value: Array) -> str:
        name = fresh(f"{self.at}/constant", self.taken)
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def _refuse_if(self, refused: bool, node: NodeProto, what: str) -> None:
        if refused:
            raise ConversionError(
                f"{node.domain}.{node.op_type} {node.output[0]!r} has {what}, which cannot be opened: "
                "export the model without fused attention"
            )

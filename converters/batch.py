"""Freeing the batch axis of models that were exported for one picture at a time.

Such a model declares ``[1, C, H, W]`` and carries that 1 in the constants of its Reshape nodes and in constants that it
joins to the data. The shapes are inferred once for a batch of one and once for a larger batch; where a tensor should
grow with the batch and does not, the constant in its way is rewritten, until every output grows. Where shapes cannot
prove that samples stay apart, the answer is None, and the model has to be run sample by sample.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from agnostic.converters.graph import Constants, all_names, attribute, first_input, fresh, opset, real_inputs
from agnostic.converters.shapes import Shape, infer, name_batch, shape_of

# A size no real axis has, so that what grew with the batch can be told from everything else.
_MANY = 7919
_RECURRENT = frozenset({"GRU", "LSTM", "RNN"})
_WITH_AXIS = frozenset({"Concat", "Gather"})
_ASKS_SHAPE = frozenset({"ConstantOfShape", "Shape", "Size"})


def free_batch(proto: ModelProto) -> ModelProto | None:
    """Return the model with a symbolic first axis on every input and output, or None if that cannot be done.

    A model whose inputs all have a free first axis is returned as it is.
    """
    shapes = [shape_of(value) for value in real_inputs(proto.graph)]
    firsts = [shape[0] if shape else 0 for shape in shapes]
    if all(first is None for first in firsts):
        return proto
    if any(first not in (1, None) for first in firsts):
        return None
    result = ModelProto()
    result.CopyFrom(proto)
    if not _Repair(result).succeeds():
        return None
    del result.graph.value_info[:]
    for value in (*real_inputs(result.graph), *result.graph.output):
        name_batch(value)
    return result


def _shapes(proto: ModelProto, batch: int) -> dict[str, Shape]:
    values = infer(proto, batch).items()
    return {name: shape for name, value in values if (shape := shape_of(value)) is not None and None not in shape}


class _Repair:
    """One model under repair, in place."""

    def __init__(self, proto: ModelProto) -> None:
        self.proto = proto
        self.graph = proto.graph
        self.names = all_names(proto)
        self.constants = Constants(proto.graph)
        # Both are inferred anew: a declared shape may still say what the exporter saw.
        self.single = _shapes(proto, 1)
        self.whole = all(None not in (shape_of(value) or ())[1:] for value in real_inputs(proto.graph))
        self.many: dict[str, Shape] = {}

    def succeeds(self) -> bool:
        """Repair until nothing is left to repair; tell whether everything now grows as it should."""
        self._keep_leading_ones()
        for _ in range(len(self.graph.node) + 1):
            self.many = _shapes(self.proto, _MANY)
            if not any(self._repair(node) for node in self.graph.node):
                break
        outputs_grow = all(self._growth(value.name) == 0 for value in self.graph.output)
        return outputs_grow and not any(self._mixes(node) for node in self.graph.node)

    def _growth(self, name: str) -> int | None:
        """Return the axis along which a tensor grows with the batch; None for none, -1 for several or odd growth."""
        single, many = self.single.get(name), self.many.get(name)
        if single is None or many is None or single == many:
            return None
        grown = [axis for axis, (one, more) in enumerate(zip(single, many, strict=False)) if one != more]
        if len(single) != len(many) or len(grown) != 1 or many[grown[0]] != _MANY * (single[grown[0]] or 0):
            return -1
        return grown[0]

    def _mixes(self, node: NodeProto) -> bool:
        """Tell whether a node may let samples touch: it swallows the batch axis, reorders it, or works along it."""
        source = next((name for name in node.input if self._growth(name) is not None), None)
        if source is None or node.op_type in _ASKS_SHAPE:
            return False
        axis = self._growth(source)
        made = [name for name in node.output if name in self.many]
        if axis is None or axis < 0 or any(self._growth(name) in (None, -1) for name in made):
            return True
        if node.op_type in ("Reshape", "Flatten"):
            return self._growth(node.output[0]) != self._place(node)
        if node.op_type in ("Concat", "Split", "Tile"):
            return any(self.single[name][axis] != self.single[source][axis] for name in made)
        if node.op_type in ("Softmax", "LogSoftmax"):
            return self._normalises(node, axis)
        return node.op_type == "BatchNormalization" and bool(attribute(node, "training_mode", 0))

    def _place(self, node: NodeProto) -> int | None:
        """Return the axis of a reshaped tensor at which the samples of its source begin."""
        source, axis = first_input(node), self._growth(first_input(node))
        before, after = self.single.get(source), self.single.get(node.output[0])
        if axis is None or axis < 0 or before is None or after is None:
            return None
        # A reshape keeps the order of the entries: the samples repeat once for everything before their axis, and only
        # an axis with that same product before it can hold them afterwards.
        start = _product(before[:axis])
        fitting = [place for place in range(len(after)) if _product(after[:place]) == start]
        return axis if axis in fitting else next(iter(fitting), None)

    def _normalises(self, node: NodeProto, batch_axis: int) -> bool:
        rank = len(self.single[first_input(node)])
        if opset(self.proto) >= 13:
            return bool(attribute(node, "axis", -1) % rank == batch_axis)
        # Before opset 13 a softmax ran over all axes from this one on.
        return bool(attribute(node, "axis", 1) % rank <= batch_axis)

    def _keep_leading_ones(self) -> None:
        """Write Reshape targets [1, ...] as [0, ...] where the data has a leading 1 too: right whatever the batch."""
        for node in self.graph.node:
            target = self._target(node)
            # 0 copies the size of the data, so the rest of the target may keep its -1.
            if target and target[0] == 1 and self.single.get(first_input(node), (0,))[:1] == (1,):
                self._retarget(node, [0, *target[1:]])

    def _target(self, node: NodeProto) -> list[int] | None:
        if node.op_type != "Reshape" or len(node.input) < 2 or attribute(node, "allowzero", 0):
            return None
        return self.constants.ints(node.input[1])

    def _retarget(self, node: NodeProto, target: Sequence[int]) -> None:
        node.input[1] = self._constant(f"{node.output[0]}/shape", target)

    def _repair(self, node: NodeProto) -> bool:
        """Repair one node if it stands in the way of the batch; tell whether it was changed."""
        if node.op_type == "Reshape":
            return self._repair_reshape(node)
        if node.op_type == "Resize":
            return self._repair_resize(node)
        if node.op_type == "Concat":
            return self._lend(node, range(len(node.input)))
        return node.op_type in _RECURRENT and self._lend(node, range(5, len(node.input)))

    def _repair_reshape(self, node: NodeProto) -> bool:
        place, after = self._place(node), self.single.get(node.output[0], ())
        if place is None or self._growth(node.output[0]) == place or self._target(node) is None:
            return False
        if not self.whole:
            # The sizes at hand were assumed for inputs that leave them open; they must not be written down.
            return False
        self._retarget(node, [-1 if entry == place else size or 0 for entry, size in enumerate(after)])
        return True

    def _repair_resize(self, node: NodeProto) -> bool:
        """Say by which factors to resize instead of to which sizes; onnxruntime derives the same factors from sizes."""
        sizes = self.constants.ints(node.input[3]) if len(node.input) > 3 else None
        before = np.array(self.single.get(first_input(node), ()), np.float32)
        if not sizes or sizes[0] != 1 or len(sizes) != len(before) or not self.whole:
            return False
        factors = np.array(sizes, np.float32) / before
        if attribute(node, "keep_aspect_ratio_policy", b"stretch") != b"stretch" or list(before * factors) != sizes:
            return False
        node.input[2] = self._constant(f"{node.output[0]}/scales", factors)
        del node.input[3]
        return True

    def _lend(self, node: NodeProto, places: Sequence[int]) -> bool:
        """Expand the inputs that hold one sample, such as a class token, to the batch of one that grows."""
        leader = next((name for name in node.input if self._growth(name) is not None), None)
        axis = self._growth(leader) if leader is not None else None
        along = attribute(node, "axis", -1) % len(self.single[leader]) if leader is not None else -1
        if leader is None or axis is None or axis in (-1, along) or opset(self.proto) < 8:
            return False
        lacking = [place for place in places if self._holds_one(node.input[place], axis)]
        for place in lacking:
            rank = len(self.single[node.input[place]])
            ones = [self._constant(f"{node.output[0]}/ones", [1] * count) for count in (axis, rank - 1 - axis)]
            parts = [ones[0], self._batch_size(node, leader, axis), ones[1]]
            shape = self._insert(node, "Concat", parts)
            node.input[place] = self._insert(node, "Expand", [node.input[place], shape])
        return bool(lacking)

    def _holds_one(self, name: str, axis: int) -> bool:
        single = self.single.get(name)
        return single is not None and len(single) > axis and single[axis] == 1 and self.many.get(name) == single

    def _batch_size(self, node: NodeProto, leader: str, axis: int) -> str:
        """Add the nodes that read how large an axis is; return the name of the one-element tensor."""
        shape = self._insert(node, "Shape", [leader])
        return self._insert(node, "Gather", [shape, self._constant(f"{leader}/batch_axis", [axis])])

    def _insert(self, before: NodeProto, op: str, inputs: Sequence[str]) -> str:
        """Put a node before another, working along axis 0 where it has an axis; return its output's name."""
        name = fresh(f"{before.output[0]}/{op.lower()}", self.names)
        place = next(place for place, node in enumerate(self.graph.node) if node is before)
        made = helper.make_node(op, inputs, [name], name=name)
        made.attribute.extend([helper.make_attribute("axis", 0)] if op in _WITH_AXIS else [])
        self.graph.node.insert(place, made)
        return name

    def _constant(self, wish: str, values: Sequence[int] | NDArray[np.float32]) -> str:
        array = values if isinstance(values, np.ndarray) else np.array(values, np.int64)
        tensor = numpy_helper.from_array(array, fresh(wish, self.names))
        self.graph.initializer.append(tensor)
        if self.proto.ir_version < 4:
            # Models of that age declare every weight as an input too.
            declared = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            self.graph.input.append(declared)
        self.constants = Constants(self.graph)
        return tensor.name


def _product(shape: Shape) -> int:
    return int(np.prod([size or 0 for size in shape], dtype=np.int64))

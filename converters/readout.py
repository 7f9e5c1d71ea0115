"""Which tokens the answer is read from: the class token's row, or the mean over many.

Behind the last attention every token goes its own way, until a node takes one of them (a Gather or a Slice) or
their mean.
"""

from collections.abc import Iterator
from typing import NamedTuple

from onnx import ModelProto, NodeProto

from agnostic.converters.attention import Attention
from agnostic.converters.graph import Constants, attribute, consumers
from agnostic.converters.layers import live_tensors
from agnostic.converters.shapes import infer, shape_of

_MEANS = frozenset({"GlobalAveragePool", "ReduceMean", "ReduceSum"})
_TO_THE_END = 1 << 31


class Rows(NamedTuple):
    """Tokens that are read together: from `start` up to `stop`, both counted as Python counts them."""

    start: int
    stop: int | None

    def slice(self) -> slice:
        """Select them along the axis of the tokens."""
        return slice(self.start, self.stop)


ALL = Rows(0, None)


def rows_read(proto: ModelProto, last: Attention) -> tuple[Rows, ...]:
    """Find the tokens that are read behind the last attention; empty where the graph does not tell.

    Args:
        proto: The model.
        last: Its last attention.
    """
    return tuple(sorted(set(_Reader(proto, last).found()), key=lambda rows: (rows.start, rows.stop or _TO_THE_END)))


class _Reader:
    def __init__(self, proto: ModelProto, last: Attention) -> None:
        self.readers, self.live = consumers(proto.graph), live_tensors(proto.graph)
        self.constants = Constants(proto.graph)
        self.shapes = {name: shape_of(value) for name, value in infer(proto).items()}
        self.start = last.added or last.output
        self.places = last.places

    def found(self) -> Iterator[Rows]:
        waiting, seen = [(self.start, ALL)], {self.start}
        while waiting:
            name, rows = waiting.pop()
            for node in self.readers.get(name, ()):
                taken = self._taken(node, name, rows)
                if taken is not None and (node.op_type in _MEANS or _is_single(taken)):
                    yield taken
                elif node.output[0] in self.live and node.output[0] not in seen:
                    seen.add(node.output[0])
                    waiting.append((node.output[0], taken or rows))

    def _taken(self, node: NodeProto, name: str, rows: Rows) -> Rows | None:
        """Tell which of the rows so far a node reads; None where it is no choice of rows."""
        if not node.input or node.input[0] != name:
            return None
        if node.op_type == "Gather":
            place = self.constants.ints(node.input[1])
            one = place is not None and len(place) == 1 and self._is_tokens(name, attribute(node, "axis", 0))
            return _within(rows, place[0], None) if one and place else None
        if node.op_type == "Slice":
            return self._sliced(node, name, rows)
        return rows if node.op_type in _MEANS and self._pools(node, name) else None

    def _sliced(self, node: NodeProto, name: str, rows: Rows) -> Rows | None:
        if len(node.input) == 1:
            starts, stops, axes = (attribute(node, key) for key in ("starts", "ends", "axes"))
        else:
            starts, stops, axes = [*(self.constants.ints(key) for key in node.input[1:4]), None, None, None][:3]
        if not (starts and stops and axes) or len(axes) != 1 or not self._is_tokens(name, axes[0]):
            return None
        return _within(rows, starts[0], stops[0])

    def _pools(self, node: NodeProto, name: str) -> bool:
        if node.op_type == "GlobalAveragePool":
            return True
        axes = attribute(node, "axes") or (self.constants.ints(node.input[1]) if len(node.input) > 1 else None)
        # Norms take means over the last axis, and keep it.
        is_norm = attribute(node, "keepdims", 1) and axes in ([-1], [len(self.shapes.get(name) or ()) - 1])
        return bool(axes) and not is_norm and any(self._is_tokens(name, axis) for axis in axes or ())

    def _is_tokens(self, name: str, axis: int) -> bool:
        """Tell whether an axis counts tokens: by its size where that is known, else by being the second of three."""
        shape = self.shapes.get(name)
        if shape is None:
            return axis == 1
        axis %= max(len(shape), 1)
        size = shape[axis] if axis < len(shape) else None
        known = size is not None and self.places is not None
        return len(shape) == 3 and (size == self.places or axis == 1 if known else axis == 1)


def _within(rows: Rows, start: int, stop: int | None) -> Rows:
    """Take rows start to stop, or the single row start, out of rows."""
    if stop is None:
        stop = start + 1 if start != -1 else None
        return Rows(start + (rows.start if start >= 0 else 0), None if stop is None else stop + rows.start)
    end = None if stop >= _TO_THE_END - 1 else stop + (rows.start if stop >= 0 else 0)
    return Rows(start + (rows.start if start >= 0 else 0), end)


def _is_single(rows: Rows) -> bool:
    return rows.stop == rows.start + 1 or (rows.start == -1 and rows.stop is None)

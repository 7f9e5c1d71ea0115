"""An ONNX model as a torch module whose every tensor can be read, replaced or differentiated by its ONNX name.

module = to_torch(onnx.load("model.onnx"))
logits = module(picture)
values = module.run({"x": picture}, ["logits", "layer4/relu"])
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from onnx import ModelProto
from torch import Tensor, nn

from agnostic.converters.normalise import normalise
from agnostic.converters.torch_import.build import build, expanded
from agnostic.converters.torch_import.graph import Graph, Hook
from agnostic.converters.torch_import.precision import Precision
from agnostic.converters.torch_import.step import Rule
from agnostic.errors import InputError, UsageError, unknown


class Port(NamedTuple):
    """An input or output of the model: its name, ONNX element type (0 if it is no tensor) and rank (None if free)."""

    name: str
    element_type: int
    rank: int | None


class OnnxModule(nn.Module):
    """A re-imported model: weights are frozen constants, values live under their ONNX names."""

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[Port],
        outputs: Sequence[Port],
        precision: Precision,
        surrogates: Sequence[str],
    ) -> None:
        """Wrap a built graph; `to_torch` is the way to get one."""
        super().__init__()
        self.graph, self.inputs, self.outputs = graph, tuple(inputs), tuple(outputs)
        self.precision = precision
        #: The nodes whose gradient is a straight-through estimate, not the derivative.
        self.surrogates = tuple(surrogates)

    def forward(self, *inputs: Tensor) -> Any:
        """Compute the outputs, in graph order, for the inputs in graph order; a single output comes alone."""
        if len(inputs) != len(self.inputs):
            names = ", ".join(port.name for port in self.inputs)
            raise InputError(f"{len(inputs)} inputs were given; the model takes {len(self.inputs)}: {names}")
        feeds = {port.name: value for port, value in zip(self.inputs, inputs, strict=True)}
        results = self.run(feeds, [port.name for port in self.outputs])
        declared = tuple(self._declared(port, results[port.name]) for port in self.outputs)
        return declared[0] if len(declared) == 1 else declared

    def run(
        self,
        feeds: Mapping[str, Any],
        outputs: Sequence[str],
        replace: Mapping[str, Tensor | Hook] | None = None,
        rules: Mapping[str, Rule] | None = None,
    ) -> dict[str, Any]:
        """Compute the named tensors; only the nodes between feeds and outputs are executed.

        Args:
            feeds: values by name, of graph inputs or of any tensor from which to go on.
            outputs: names of any tensors: outputs, hidden ones, inputs, weights.
            replace: by name, a tensor to take in place of the computed one, or a function from the computed value to
                the one that is used downstream (to ablate it, or to make it a leaf that gradients can be asked for).
            rules: by operator name, ``rule(forward, *inputs)`` to compute every such node in its stead, as modified
                backward passes need it. Nodes inside subgraphs keep their own rule.
        """
        replace = replace or {}
        hooks = {name: value for name, value in replace.items() if not isinstance(value, Tensor)}
        given = {**feeds, **{name: value for name, value in replace.items() if isinstance(value, Tensor)}}
        self._check_names([*given, *hooks, *outputs])
        ports = {port.name: port for port in self.inputs}
        values = {name: self._accepted(ports.get(name), value, name) for name, value in given.items()}
        return self.graph.run(values, outputs, hooks, rules)

    def names(self) -> list[str]:
        """List every tensor of the model by its ONNX name: weights, inputs and computed values."""
        return self.graph.names()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "OnnxModule":
        """Move the constants, those of subgraphs included, as torch moves buffers."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        _move(self.graph, fn)
        return self

    def _check_names(self, names: Sequence[str]) -> None:
        known = set(self.names())
        for name in names:
            if name not in known:
                raise unknown("tensor", name, known)

    def _accepted(self, port: Port | None, value: Any, name: str) -> Any:
        """Check a given tensor against the input's declaration and bring it to the type of computation."""
        if port is None or not port.element_type or not isinstance(value, Tensor):
            return _computed(value, self.precision)
        expected = self.precision.computed(port.element_type)
        if value.dtype.is_floating_point != expected.is_floating_point or value.is_complex() != expected.is_complex:
            raise InputError(f"input {name!r} is {value.dtype}; the model computes it as {expected}")
        if port.rank is not None and value.ndim != port.rank:
            raise InputError(f"input {name!r} has shape {tuple(value.shape)}; the model expects {port.rank} axes")
        return value.to(expected)

    def _declared(self, port: Port, value: Any) -> Any:
        if not isinstance(value, Tensor) or not port.element_type:
            return value
        return value.to(self.precision.declared(port.element_type))


def to_torch(proto: ModelProto, *, dtype: torch.dtype | None = None, straight_through: bool = False) -> OnnxModule:
    """Re-import an ONNX model.

    Args:
        proto: the model; it is not changed.
        dtype: the type in which every float is computed, such as ``torch.float64`` for checks; None computes in the
            declared types, 16-bit floats in float32.
        straight_through: let gradients pass through rounding in quantised nodes as if it were the identity. The module
            names these nodes in `surrogates`. Without it their derivative, zero, ends the path.

    Raises:
        ConversionError: the model uses operators that cannot be imported; the message names all of them.
    """
    if dtype is not None and not dtype.is_floating_point:
        raise UsageError(f"dtype is {dtype}; a floating type such as torch.float64 is expected")
    model = expanded(normalise(proto))
    precision = Precision(dtype)
    graph, surrogates = build(model, precision, straight_through)
    inputs, outputs = ([_port(value) for value in values] for values in (model.graph.input, model.graph.output))
    return OnnxModule(graph, inputs, outputs, precision, surrogates)


def _port(value: Any) -> Port:
    declared = value.type.tensor_type
    rank = len(declared.shape.dim) if declared.HasField("shape") else None
    return Port(value.name, declared.elem_type, rank)


def _computed(value: Any, precision: Precision) -> Any:
    """Bring floats of any width, inside sequences too, to the type they are computed in."""
    if isinstance(value, list):
        return [_computed(item, precision) for item in value]
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    wide = value.dtype in (torch.float32, torch.float64)
    return value.to(precision.floating or (value.dtype if wide else torch.float32))


def _move(graph: Graph, fn: Callable[[Tensor], Tensor]) -> None:
    graph.constants.update({k: fn(v) for k, v in graph.constants.items() if isinstance(v, Tensor)})
    for step in graph.steps:
        for inner in step.subgraphs.values():
            _move(inner, fn)

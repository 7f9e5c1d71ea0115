"""One node, bound to its operator's function, and how it is executed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from onnx import defs
from torch import Tensor

from agnostic.converters.torch_import.precision import WIDE_UNSIGNED
from agnostic.errors import AgnosticError, ItemError

if TYPE_CHECKING:
    from agnostic.converters.torch_import.graph import Graph

#: What computes an operator in its stead: ``rule(forward, *inputs)``; ``forward`` has the node's attributes bound.
Rule = Callable[..., Any]

# Arithmetic modulo 2^64 is the same for signed and unsigned integers.
_MODULAR = frozenset({"Add", "Sub", "Mul", "Equal", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"})


class Step(NamedTuple):
    """One node: what it calls, and the names it reads and writes ("" where an optional one is left out)."""

    name: str
    kind: tuple[str, str]
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    subgraphs: Mapping[str, "Graph"]
    captured: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Name every tensor that is read, those that subgraphs take from their surroundings included."""
        return (*filter(None, self.inputs), *self.captured)

    def bound(self, values: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the operator's function; its subgraphs see the given values around them."""
        if not self.subgraphs:
            return self.function
        scope = {name: values[name] for name in self.captured}
        return partial(self.function, **{key: partial(graph.call, scope) for key, graph in self.subgraphs.items()})


def execute(step: Step, values: dict[str, Any], rules: Mapping[str, Rule]) -> None:
    """Run one node and store what it gives; whatever fails is reported under the node's name."""
    arguments = [values[name] if name else None for name in step.inputs]
    function = step.bound(values) if step.subgraphs else step.function
    rule = rules.get(step.kind[1]) if rules else None
    try:
        results = function(*arguments) if rule is None else rule(function, *arguments)
    except AgnosticError:
        raise
    except RuntimeError as error:
        results = _as_signed(step, function, arguments, error)
    except Exception as error:
        raise _failure(step, arguments, error) from error
    if type(results) is not tuple:
        values[step.outputs[0]] = results
        return
    values.update((name, result) for name, result in zip(step.outputs, results, strict=False) if name)


def _failure(step: Step, arguments: Sequence[Any], error: Exception) -> ItemError:
    shapes = ", ".join(str(tuple(a.shape)) if isinstance(a, Tensor) else type(a).__name__ for a in arguments)
    reason = " ".join(str(error).split())
    return ItemError(f"node {step.name!r} ({step.kind[1]}) cannot be computed for inputs of shape {shapes}: {reason}")


def _as_signed(step: Step, function: Callable[..., Any], arguments: list[Any], error: RuntimeError) -> Any:
    """Repeat with wide unsigned integers as int64, for which torch has every kernel, and turn the results back."""
    unsigned = [isinstance(a, Tensor) and a.dtype in WIDE_UNSIGNED for a in arguments]
    if not any(unsigned):
        raise _failure(step, arguments, error) from error
    signed = [a.to(torch.int64) if wide else a for a, wide in zip(arguments, unsigned, strict=True)]
    if step.kind[1] not in _MODULAR and any(
        a.dtype == torch.uint64 and bool((b < 0).any()) for a, b in zip(arguments, signed, strict=True) if b is not a
    ):
        raise ItemError(f"node {step.name!r} ({step.kind[1]}) meets a uint64 above 2^63, which torch cannot compute")
    try:
        results = function(*signed)
    except RuntimeError as second:
        raise _failure(step, arguments, second) from second
    return _restored(step, arguments, results if type(results) is tuple else (results,))


def _restored(step: Step, arguments: list[Any], results: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give each output the type of the input that the operator's schema ties it to."""
    schema = defs.get_schema(step.kind[1], step.kind[0])
    types: dict[str, torch.dtype] = {}
    for index, argument in enumerate(arguments):
        if isinstance(argument, Tensor):
            types.setdefault(schema.inputs[min(index, len(schema.inputs) - 1)].type_str, argument.dtype)
    restored = []
    for index, result in enumerate(results):
        dtype = types.get(schema.outputs[min(index, len(schema.outputs) - 1)].type_str)
        restored.append(result.to(dtype) if dtype is not None and isinstance(result, Tensor) else result)
    return tuple(restored)

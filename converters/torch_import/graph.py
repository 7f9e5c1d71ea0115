"""A graph of operators that runs from any of its tensors to any other.

`Graph.run` takes values by name and gives values by name; only the nodes in between are executed, and a value is
dropped after its last use. A subgraph (of If, Loop, Scan) is a Graph of its own that also sees its surroundings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from onnx import defs
from torch import Tensor

from agnostic.converters.torch_import.precision import WIDE_UNSIGNED
from agnostic.errors import AgnosticError, ItemError, UsageError, unknown

#: What a hook gets and gives: the value of a tensor as it is computed.
Hook = Callable[[Tensor], Tensor]
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


class Plan(NamedTuple):
    """The steps to execute, what may be forgotten after each, and the constants they start from."""

    steps: tuple[tuple[Step, tuple[str, ...]], ...]
    constants: tuple[str, ...]


class Graph:
    """Nodes in topological order with their constants, inputs and outputs."""

    def __init__(
        self, steps: Sequence[Step], constants: dict[str, Any], inputs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        """Take nodes in an order in which each follows what it reads."""
        self.steps, self.constants = tuple(steps), constants
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.producers = {name: step for step in steps for name in step.outputs if name}
        self._plans: dict[tuple[frozenset[str], tuple[str, ...]], Plan] = {}

    @property
    def free(self) -> tuple[str, ...]:
        """Name what the graph reads from its surroundings."""
        read = {name for step in self.steps for name in step.reads} | set(self.outputs)
        return tuple(sorted(read - self.producers.keys() - self.constants.keys() - set(self.inputs)))

    def names(self) -> list[str]:
        """List every tensor of the graph: constants, inputs and computed values."""
        return [*self.constants, *self.inputs, *self.producers]

    def call(self, scope: Mapping[str, Any], *arguments: Any) -> tuple[Any, ...]:
        """Run as a subgraph: the outputs in order for inputs in order, seeing the scope's values by name."""
        values = {**scope, **dict(zip(self.inputs, arguments, strict=True))}
        results = self.run(values, self.outputs)
        return tuple(results[name] for name in self.outputs)

    def run(
        self,
        values: Mapping[str, Any],
        outputs: Sequence[str],
        hooks: Mapping[str, Hook] | None = None,
        rules: Mapping[str, Rule] | None = None,
    ) -> dict[str, Any]:
        """Compute the named outputs from the named values.

        Args:
            values: tensors by name; nothing upstream of them is executed.
            outputs: names to compute.
            hooks: functions that replace the value of a tensor as soon as it is there.
            rules: functions that compute operators in their stead, by operator name.
        """
        hooks, rules = hooks or {}, rules or {}
        plan = self.plan(values.keys(), outputs)
        known = {name: self.constants[name] for name in plan.constants} | dict(values)
        for name in hooks.keys() & known.keys():
            known[name] = hooks[name](known[name])
        for step, finished in plan.steps:
            _execute(step, known, rules)
            if hooks:
                for name in hooks.keys() & set(step.outputs):
                    known[name] = hooks[name](known[name])
            for name in finished:
                del known[name]
        return {name: known[name] for name in outputs}

    def plan(self, given: Iterable[str], outputs: Sequence[str]) -> Plan:
        """Find, once per question, the nodes between the given names and the outputs."""
        key = frozenset(given), tuple(outputs)
        if key not in self._plans:
            self._plans[key] = self._planned(*key)
        return self._plans[key]

    def _planned(self, given: frozenset[str], outputs: tuple[str, ...]) -> Plan:
        needed, constants = self._between(given, outputs)
        order = [step for step in self.steps if id(step) in needed]
        last = {name: index for index, step in enumerate(order) for name in step.reads}
        last |= {name: last.get(name, index) for index, step in enumerate(order) for name in step.outputs if name}
        finished: list[list[str]] = [[] for _ in order]
        for name, index in last.items():
            if name not in outputs:
                finished[index].append(name)
        return Plan(tuple((step, tuple(names)) for step, names in zip(order, finished, strict=True)), tuple(constants))

    def _between(self, given: frozenset[str], outputs: tuple[str, ...]) -> tuple[set[int], list[str]]:
        """Walk back from the outputs: the needed steps by identity, and the constants they start from."""
        needed: set[int] = set()
        constants: list[str] = []
        seen, open_names = set(given), list(outputs)
        while open_names:
            name = open_names.pop()
            if name in seen:
                continue
            seen.add(name)
            step = self.producers.get(name)
            if step is not None and id(step) not in needed:
                needed.add(id(step))
                open_names.extend(step.reads)
            elif name in self.constants:
                constants.append(name)
            elif step is None:
                raise self._absent(name)
        return needed, constants

    def _absent(self, name: str) -> UsageError:
        if name in self.inputs:
            return UsageError(f"the input {name!r} is needed for these outputs; give it, or a tensor computed from it")
        return unknown("tensor", name, self.names())


def _execute(step: Step, values: dict[str, Any], rules: Mapping[str, Rule]) -> None:
    """Run one node and store what it gives; whatever fails is reported under the node's name."""
    arguments = [values[name] if name else None for name in step.inputs]
    function = step.bound(values)
    rule = rules.get(step.kind[1])
    try:
        results = function(*arguments) if rule is None else rule(function, *arguments)
    except AgnosticError:
        raise
    except RuntimeError as error:
        results = _as_signed(step, function, arguments, error)
    except Exception as error:
        raise _failure(step, arguments, error) from error
    if type(results) is not tuple:
        results = (results,)
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

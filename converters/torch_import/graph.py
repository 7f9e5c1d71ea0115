"""A graph of operators that runs from any of its tensors to any other.

`Graph.run` takes values by name and gives values by name; only the nodes in between are executed, and a value is
dropped after its last use. A subgraph (of If, Loop, Scan) is a Graph of its own that also sees its surroundings.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from agnostic.converters.torch_import.fusion import fuse
from agnostic.converters.torch_import.step import Rule, Step, execute
from agnostic.errors import UsageError, unknown

#: What a hook gets and gives: the value of a tensor as it is computed.
Hook = Callable[[Tensor], Tensor]
_Question = tuple[frozenset[str], tuple[str, ...], frozenset[str], bool]


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
        self._plans: dict[_Question, Plan] = {}

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
        plan = self.plan(values.keys(), outputs, hooks.keys(), fused=not rules)
        known = {name: self.constants[name] for name in plan.constants} | dict(values)
        for name in hooks.keys() & known.keys():
            known[name] = hooks[name](known[name])
        for step, finished in plan.steps:
            execute(step, known, rules)
            if hooks:
                for name in hooks.keys() & set(step.outputs):
                    known[name] = hooks[name](known[name])
            for name in finished:
                del known[name]
        return {name: known[name] for name in outputs}

    def plan(
        self, given: Iterable[str], outputs: Sequence[str], kept: Iterable[str] = (), *, fused: bool = True
    ) -> Plan:
        """Find, once per question, the nodes between the given names and the outputs.

        Args:
            given: names whose values will be there.
            outputs: names to compute.
            kept: names of further tensors that must come into being.
            fused: join nodes whose tensors in between nobody needs.
        """
        key = frozenset(given), tuple(outputs), frozenset(kept), fused
        if key not in self._plans:
            self._plans[key] = self._planned(*key)
        return self._plans[key]

    def _planned(self, given: frozenset[str], outputs: tuple[str, ...], kept: frozenset[str], fused: bool) -> Plan:
        needed, constants = self._between(given, outputs)
        # What is given is not computed over, even where a step computes it beside something else.
        order = [_without(step, given) for step in self.steps if id(step) in needed]
        if fused:
            fixed = {name: value for name, value in self.constants.items() if name not in given | kept}
            order = fuse(order, fixed, {*outputs, *kept})
        last = {name: index for index, step in enumerate(order) for name in step.reads}
        last |= {name: last.get(name, index) for index, step in enumerate(order) for name in step.outputs if name}
        finished: list[list[str]] = [[] for _ in order]
        for name, index in last.items():
            if name not in outputs:
                finished[index].append(name)
        steps = tuple((step, tuple(names)) for step, names in zip(order, finished, strict=True))
        read = last.keys() | set(outputs)
        return Plan(steps, tuple(name for name in constants if name in read))

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


def _without(step: Step, given: Collection[str]) -> Step:
    if not any(name in given for name in step.outputs):
        return step
    return step._replace(outputs=tuple("" if name in given else name for name in step.outputs))

"""The table of operators: one plain function per (domain, name).

A function's positional parameters are the ONNX inputs in order (None where an optional one is left out), its
keyword-only parameters the ONNX attributes with their defaults, so its signature is its documentation::

    @operator("Gemm")
    def gemm(a: Tensor, b: Tensor, c: Tensor | None = None, *, alpha: float = 1.0, ...) -> Tensor

It returns a tensor, or a tuple where the operator has several outputs. A keyword-only parameter called ``node`` is no
attribute: it receives the `Node`, what a function may know about where it stands.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from agnostic.converters.torch_import.precision import Precision

Function = TypeVar("Function", bound=Callable[..., Any])


class Node(NamedTuple):
    """Where an operator stands: its name, which outputs are named, declared input types, how numbers are computed."""

    name: str
    outputs: tuple[bool, ...]
    types: tuple[int, ...]
    precision: Precision
    straight_through: bool

    def wants(self, index: int) -> bool:
        """Say whether the output of that index is named in the graph."""
        return index < len(self.outputs) and self.outputs[index]

    def type_of(self, index: int) -> int:
        """Return the ONNX element type of an input where the graph declares it, else 0."""
        return self.types[index] if index < len(self.types) else 0


class Operator(NamedTuple):
    """A registered function with what its signature says: how many inputs at most, and which attributes."""

    function: Callable[..., Any]
    inputs: int
    attributes: frozenset[str]
    wants_node: bool


_OPERATORS: dict[tuple[str, str], Operator] = {}
_REFUSALS: dict[tuple[str, str], str] = {}
_MANY = 1 << 30


def operator(*names: str, domain: str = "") -> Callable[[Function], Function]:
    """Register a function under one or several operator names of a domain."""

    def register(function: Function) -> Function:
        for name in names:
            _add((domain, name), _described(function))
        return function

    return register


def plain(domain: str = "", /, **functions: Callable[..., Any]) -> None:
    """Register functions without attributes, such as torch's own, under the operator names they are given as."""
    for name, function in functions.items():
        _add((domain, name), Operator(function, _MANY, frozenset(), wants_node=False))


def refuse(*names: str, domain: str = "", reason: str) -> None:
    """Register operators that are known and deliberately not imported, with the sentence that says why."""
    _REFUSALS.update(dict.fromkeys(((domain, name) for name in names), reason))


def find(domain: str, name: str) -> Operator | None:
    """Look an operator up; None where there is none."""
    return _OPERATORS.get((domain, name))


def refusal(domain: str, name: str) -> str | None:
    """Say why an operator is not imported; None where no reason is registered."""
    return _REFUSALS.get((domain, name))


def known() -> list[tuple[str, str]]:
    """List the registered (domain, name) pairs in order."""
    return sorted(_OPERATORS)


def _add(key: tuple[str, str], entry: Operator) -> None:
    if key in _OPERATORS:
        raise ValueError(f"operator {key} is registered twice")
    _OPERATORS[key] = entry


def _described(function: Callable[..., Any]) -> Operator:
    parameters = inspect.signature(function).parameters.values()
    variadic = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    positional = sum(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters)
    keywords = frozenset(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)
    return Operator(function, _MANY if variadic else positional, keywords - {"node"}, "node" in keywords)

"""Branches and loops. A subgraph arrives as a function from its inputs to the tuple of its outputs."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator

Subgraph = Callable[..., tuple[Any, ...]]


@operator("If")
def if_(condition: Tensor, *, then_branch: Subgraph, else_branch: Subgraph) -> tuple[Any, ...]:
    """Run one of two subgraphs."""
    return then_branch() if bool(condition) else else_branch()


@operator("Loop")
def loop(trips: Tensor | None, condition: Tensor | None, *state: Any, body: Subgraph, node: Node) -> tuple[Any, ...]:
    """Repeat the body while the condition holds; what it gives beyond its state is stacked over the iterations.

    Without an iteration nothing tells what would have been stacked: it is an empty vector of floats.
    """
    limit = None if trips is None else int(trips.item())
    going = torch.tensor(True) if condition is None else condition
    collected: list[tuple[Any, ...]] = []
    count = 0
    while bool(going) and (limit is None or count < limit):
        going, *results = body(torch.tensor(count), going, *state)
        state, count = tuple(results[: len(state)]), count + 1
        collected.append(tuple(results[len(state) :]))
    if not collected:
        return *state, *(torch.zeros(0) for _ in node.outputs[len(state) :])
    return *state, *(torch.stack(values) for values in zip(*collected, strict=True))


@operator("Scan")
def scan(
    *values: Tensor,
    body: Subgraph,
    num_scan_inputs: int,
    scan_input_axes: list[int] | None = None,
    scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None,
    scan_output_directions: list[int] | None = None,
) -> tuple[Any, ...]:
    """Carry a state through the slices of the scan inputs; what the body gives beyond it is stacked."""
    kept = len(values) - num_scan_inputs
    state, inputs = values[:kept], values[kept:]
    axes = scan_input_axes or [0] * num_scan_inputs
    backwards = scan_input_directions or [0] * num_scan_inputs
    if not all(x.shape[axis] for x, axis in zip(inputs, axes, strict=True)):
        raise ValueError("a Scan over no slices gives outputs of unknown shape")
    slices = [_ordered(list(x.unbind(axis)), back) for x, axis, back in zip(inputs, axes, backwards, strict=True)]
    collected: list[tuple[Tensor, ...]] = []
    for step in zip(*slices, strict=True):
        results = body(*state, *step)
        state = results[:kept]
        collected.append(results[kept:])
    stacked = list(zip(*collected, strict=True))
    axes = scan_output_axes or [0] * len(stacked)
    backwards = scan_output_directions or [0] * len(stacked)
    outputs = [
        torch.stack(_ordered(list(v), back), axis) for v, axis, back in zip(stacked, axes, backwards, strict=True)
    ]
    return *state, *outputs


def _ordered(values: list[Tensor], backwards: int) -> list[Tensor]:
    return values[::-1] if backwards else values

"""Join nodes that exporters take apart, where nobody asks for what lies between them.

Each pattern is one function in one module: from a step of the kind it is listed under, and the steps around it, to the
step that computes the same up to rounding, or None. To add one, write it and name it in `PATTERNS`. Fusion looks at one
plan: a tensor that is read, replaced or hooked keeps its node, and a plan with backward rules keeps every node.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agnostic.converters.torch_import.fusion.attention import attention
from agnostic.converters.torch_import.fusion.convolution import convolution
from agnostic.converters.torch_import.fusion.gelu import gelu
from agnostic.converters.torch_import.fusion.layer_norm import layer_norm
from agnostic.converters.torch_import.fusion.linear import linear
from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours, Pattern
from agnostic.converters.torch_import.step import Step

#: The patterns with the operator each starts from; where two would take the same node, the first one has it.
PATTERNS: tuple[tuple[str, Pattern], ...] = (
    ("MatMul", attention),
    ("Div", layer_norm),
    ("Erf", gelu),
    ("MatMul", linear),
    ("Conv", convolution),
)


def fuse(steps: Sequence[Step], constants: Mapping[str, Any], kept: Collection[str]) -> list[Step]:
    """Return the steps with every pattern joined, each where its last node stood.

    Args:
        steps: a plan, in order.
        constants: what does not change from run to run.
        kept: tensors that must come into being.
    """
    around = Neighbours(steps, constants, kept)
    found: dict[str, Fused] = {}
    for kind, pattern in PATTERNS:
        for step in steps:
            fused = pattern(step, around) if step.kind == ("", kind) else None
            if fused is not None and fused.writes.isdisjoint(found):
                found.update(dict.fromkeys(fused.writes, fused))
    joined = []
    for step in steps:
        fused = found.get(step.outputs[0])
        if fused is None:
            joined.append(step)
        elif fused.step.outputs == step.outputs:
            joined.append(fused.step)
    return joined

"""Join nodes that exporters take apart, where nobody asks for what lies between them.

Two patterns, each the same function up to rounding, are worth it: a GELU written with Erf (five passes over its tensor,
and five back), and a matrix product with a bias. Fusion looks at one plan: a tensor that is read, replaced or hooked
keeps its node.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.step import Step


class Fused(NamedTuple):
    """A step that stands for several: those it replaces, by their outputs, end with its own output."""

    step: Step
    inner: tuple[str, ...]


class Neighbours:
    """Who writes and who reads each tensor of a plan."""

    def __init__(self, steps: Sequence[Step], constants: Mapping[str, Any], kept: Collection[str]) -> None:
        """Index the steps of a plan; ``kept`` names the tensors that must exist."""
        self.constants, self.kept = constants, kept
        self.writers = {step.outputs[0]: step for step in steps}
        self.readers = {name: step for step in steps for name in step.reads}
        self.uses = Counter(name for step in steps for name in step.reads)

    def only_reader(self, name: str, kind: str) -> Step | None:
        """Return the step that alone reads a tensor nobody else needs, if it is of that kind."""
        step = self.readers.get(name)
        private = self.uses[name] == 1 and name not in self.kept
        return step if step is not None and private and step.kind == ("", kind) else None

    def other(self, step: Step, name: str) -> str:
        """Return the other input of a step with two."""
        return step.inputs[1] if step.inputs[0] == name else step.inputs[0]

    def is_number(self, name: str, value: float) -> bool:
        """Say whether a tensor is a constant of one element with about that value."""
        constant = self.constants.get(name)
        return (
            isinstance(constant, Tensor)
            and constant.numel() == 1
            and math.isclose(constant.item(), value, rel_tol=1e-6)
        )


def fuse(steps: Sequence[Step], constants: Mapping[str, Any], kept: Collection[str]) -> list[Step]:
    """Return the steps with every pattern joined, each where its last node stood."""
    around = Neighbours(steps, constants, kept)
    found = [fused for step in steps for fused in (_gelu(step, around), _linear(step, around)) if fused]
    replaced = {fused.step.outputs[0]: fused.step for fused in found}
    gone = {name for fused in found for name in fused.inner}
    return [replaced.get(step.outputs[0], step) for step in steps if step.outputs[0] not in gone]


def _gelu(erf: Step, around: Neighbours) -> Fused | None:
    """Match x (1 + erf(x / √2)) / 2, written Div, Erf, Add, Mul, Mul."""
    if erf.kind != ("", "Erf"):
        return None
    div = around.writers.get(erf.inputs[0])
    if div is None or div.kind != ("", "Div") or around.only_reader(erf.inputs[0], "Erf") is None:
        return None
    x = div.inputs[0]
    add = around.only_reader(erf.outputs[0], "Add")
    product = add and around.only_reader(add.outputs[0], "Mul")
    half = product and around.only_reader(product.outputs[0], "Mul")
    if add is None or product is None or half is None or not around.is_number(div.inputs[1], math.sqrt(2)):
        return None
    one = around.is_number(around.other(add, erf.outputs[0]), 1.0)
    if not one or not around.is_number(around.other(half, product.outputs[0]), 0.5):
        return None
    if around.other(product, add.outputs[0]) != x:
        return None
    inner = tuple(step.outputs[0] for step in (div, erf, add, product))
    return Fused(half._replace(kind=("", "Gelu"), function=F.gelu, inputs=(x,)), inner)


def _linear(product: Step, around: Neighbours) -> Fused | None:
    """Match the product with a constant matrix to which a constant row is added."""
    if product.kind != ("", "MatMul") or not _is_constant(around, product.inputs[1], 2):
        return None
    add = around.only_reader(product.outputs[0], "Add")
    if add is None:
        return None
    bias = around.other(add, product.outputs[0])
    matrix = around.constants[product.inputs[1]]
    if not _is_constant(around, bias, 1) or around.constants[bias].shape[0] != matrix.shape[1]:
        return None
    kind, inputs = ("", "Gemm"), (*product.inputs, bias)
    return Fused(add._replace(kind=kind, function=_LINEAR, inputs=inputs), (product.outputs[0],))


def _is_constant(around: Neighbours, name: str, rank: int) -> bool:
    constant = around.constants.get(name)
    return isinstance(constant, Tensor) and constant.ndim == rank and constant.is_floating_point()


def _product_with_bias(x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, matrix.T, bias) if x.ndim > 1 else torch.matmul(x, matrix) + bias


_LINEAR: Callable[..., Tensor] = _product_with_bias

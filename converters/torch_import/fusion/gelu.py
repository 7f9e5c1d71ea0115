"""GELU written with Erf: five passes over its tensor, and five back."""

import math

import torch.nn.functional as F  # noqa: N812

from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours
from agnostic.converters.torch_import.step import Step


def gelu(erf: Step, around: Neighbours) -> Fused | None:
    """Match x (1 + erf(x / √2)) / 2, written Div, Erf, Add, Mul, Mul."""
    div = around.writer(erf.inputs[0], "Div")
    add = around.reader(erf.outputs[0], "Add")
    product = add and around.reader(add.outputs[0], "Mul")
    half = product and around.reader(product.outputs[0], "Mul")
    if div is None or add is None or product is None or half is None:
        return None
    x, root = div.inputs
    numbers = {root: math.sqrt(2), around.other(add, erf.outputs[0]): 1.0, around.other(half, product.outputs[0]): 0.5}
    if around.other(product, add.outputs[0]) != x or len(numbers) < 3:
        return None
    if not all(around.is_number(name, value) for name, value in numbers.items()):
        return None
    return Fused(half._replace(kind=("", "Gelu"), function=F.gelu, inputs=(x,)), (div, erf, add, product))

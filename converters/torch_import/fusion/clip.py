"""A clip to two constant numbers, such as ReLU6: one kernel, where a clip to tensors takes several."""

from functools import partial

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours
from agnostic.converters.torch_import.step import Step


def clip(step: Step, around: Neighbours) -> Fused | None:
    """Match a clip whose bounds are constant numbers in order."""
    bounds = [around.constants.get(name) for name in step.inputs[1:]]
    numbers = [bound.item() for bound in bounds if isinstance(bound, Tensor) and _is_number(bound)]
    if len(numbers) != 2 or not numbers[0] < numbers[1]:
        return None
    function = partial(F.hardtanh, min_val=numbers[0], max_val=numbers[1])
    return Fused(step._replace(function=function, inputs=step.inputs[:1]))


def _is_number(bound: Tensor) -> bool:
    return bound.numel() == 1 and bound.is_floating_point()

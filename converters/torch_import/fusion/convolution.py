"""A convolution whose weight is a constant: what depends on its rank alone is settled once."""

from functools import partial

import torch
from torch import Tensor

from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours
from agnostic.converters.torch_import.step import Step

_CONV = {3: torch.conv1d, 4: torch.conv2d, 5: torch.conv3d}


def convolution(step: Step, around: Neighbours) -> Fused | None:
    """Match a convolution padded alike at both ends, which is torch's own."""
    given = getattr(step.function, "keywords", {})
    weight = around.constants.get(step.inputs[1])
    if not isinstance(weight, Tensor) or weight.ndim not in _CONV or given.get("auto_pad", "NOTSET") != "NOTSET":
        return None
    rank = weight.ndim - 2
    pads = given.get("pads") or [0] * 2 * rank
    if pads[:rank] != pads[rank:]:
        return None
    function = partial(
        _CONV[weight.ndim],
        stride=given.get("strides") or [1] * rank,
        padding=pads[:rank],
        dilation=given.get("dilations") or [1] * rank,
        groups=given.get("group", 1),
    )
    return Fused(step._replace(function=function))

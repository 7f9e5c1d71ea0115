"""The objectives: each a maker of ``(T) -> (n,)``, one number per picture; what they return is maximised.

``T(layer)`` is (n, C, h, w); see `lens.Seen`. What is about units looks before the activation function, what is about a
whole layer behind it. For one picture the numbers are those of the papers cited. Of several, what an objective adds
over the pictures is each picture's own share, so that weights mean the same however many there are.

To add one, write a decorated function in a module of this folder and name it here.
"""

from agnostic.optvis.objective import Objective, as_objective, objective, of_target
from agnostic.optvis.objectives.directions import (
    direction,
    direction_cossim,
    direction_neuron,
    dot_cossim,
    tensor_direction,
    whitened,
    whitened_direction,
)
from agnostic.optvis.objectives.likeness import activation_diff, caricature, dot_compare, input_diff, style
from agnostic.optvis.objectives.penalties import (
    L1,
    L2,
    blur_alpha_each_step,
    blur_input_each_step,
    l1,
    l2,
    opacity,
    penalize_boundary_complexity,
    total_variation,
)
from agnostic.optvis.objectives.several import alignment, diversity
from agnostic.optvis.objectives.units import channel, channel_interpolate, class_logit, deepdream, interaction, neuron

__all__ = [
    "L1",
    "L2",
    "Objective",
    "activation_diff",
    "alignment",
    "as_objective",
    "blur_alpha_each_step",
    "blur_input_each_step",
    "caricature",
    "channel",
    "channel_interpolate",
    "class_logit",
    "deepdream",
    "direction",
    "direction_cossim",
    "direction_neuron",
    "diversity",
    "dot_compare",
    "dot_cossim",
    "input_diff",
    "interaction",
    "l1",
    "l2",
    "neuron",
    "objective",
    "of_target",
    "opacity",
    "penalize_boundary_complexity",
    "style",
    "tensor_direction",
    "total_variation",
    "whitened",
    "whitened_direction",
]

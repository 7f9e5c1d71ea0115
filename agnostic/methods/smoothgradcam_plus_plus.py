"""Smooth Grad-CAM++: Grad-CAM++ with derivatives averaged over noisy copies of the input."""

from dataclasses import replace

import numpy as np

from agnostic.engine.target import Floats
from agnostic.methods._gradcam import at_layer, fold, layer_sweep, painted, second_order_weights
from agnostic.methods._gradients import check_samples, noise_at
from agnostic.methods._maps import Array32, no_map
from agnostic.methods.registry import Attribution, Task, method


@method(
    "smoothgradcam++",
    needs=("gradient", "activations"),
    summary="Grad-CAM++ with derivatives averaged over noisy copies of the input.",
    needs_plane=True,
    check=no_map,
)
def smoothgradcam_plus_plus(task: Task, *, samples: int = 20, noise: float = 0.1) -> Attribution:
    """Average the derivatives that Grad-CAM++ weighs channels by over noise (Omeiza et al. 2019).

    The maps themselves are those of the untouched sample. Without noise it is `gradcam++`.

    Args:
        task: the question.
        samples: how many noisy copies.
        noise: standard deviation, as a share of the input's range.
    """
    check_samples(samples, noise)
    found = at_layer(task)
    first, second, third = _mean_powers(task, samples, noise)
    weights = second_order_weights(first, second, third, found.maps[0])
    return painted(task, found.layer, fold(weights, found.maps[0]), samples=samples)


def _mean_powers(task: Task, samples: int, noise: float) -> Floats:
    """Average the powers 1 to 3 of the gradients by the layer over noisy copies: (3, targets, C, h, w)."""
    at_input = replace(task, at=None)
    scale = noise * float(np.ptp(at_input.origin))

    def write(start: int, stop: int, out: Array32) -> None:
        for number in range(start, stop):
            np.add(at_input.origin, noise_at(at_input, number, scale), out=out[number - start])

    sums = np.zeros(())
    for block in layer_sweep(task, samples, write):
        sums = sums + np.stack([(block.gradients**power).sum(axis=1) for power in (1, 2, 3)])
    return sums / samples

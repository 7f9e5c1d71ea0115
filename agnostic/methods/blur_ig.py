"""Blur integrated gradients: the gradient along the way from a blurred picture to the sharp one."""

from functools import cached_property

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods._gradients import Array32, attribution
from agnostic.methods._integrate import closed, facts, nodes
from agnostic.methods.registry import Attribution, Task, check_positive, method


@method(
    "blur_ig",
    needs=("gradient",),
    summary="The gradient summed up while the picture comes into focus: no baseline colour to choose.",
    needs_plane=True,
)
def blur_ig(task: Task, *, steps: int = 50, sigma: float = 0.22, gradient_of: GradientOf = "logit") -> Attribution:
    """Integrate the gradient along the path of Gaussian blurs (Xu, Venugopalan & Sundararajan 2020).

    Args:
        task: the question.
        steps: points on the path.
        sigma: standard deviation of the strongest blur, as a share of the longer side.
        gradient_of: logit, probability or loss of the target.
    """
    check_positive(steps=steps, sigma=sigma)
    path = _Path(task, sigma)
    places, weights = nodes(steps, "gauss-legendre")

    def write(start: int, stop: int, out: Array32) -> None:
        for row, number in enumerate(range(start, stop)):
            out[row] = path.blurred([*places, 0.0, 1.0][number])

    found, ends = np.zeros((len(task.targets), *task.origin.shape)), np.zeros((steps + 2, len(task.targets)))
    for block in task.gradient_sweep(steps + 2, write, of=gradient_of):
        ends[block.start : block.stop] = block.found.scores
        for row, number in enumerate(range(block.start, min(block.stop, steps))):
            found += block.found.gradients[task.source][:, row] * (weights[number] * path.speed(places[number]))
    done = closed(found, ends[-1], ends[-2])
    return attribution(task, found, base_values=done.base_values, facts=facts(done, steps=steps))


class _Path:
    """Blurs of the explained tensor from place 0, the strongest, to place 1, sharp; beyond its border it is mirrored.

    The blur falls by the square of the way left, so that more points lie where fine detail comes in.
    """

    def __init__(self, task: Task, sigma: float) -> None:
        self._task = task
        self._planes = _planes(task, task.origin[None])
        self._sigma = sigma * max(self._planes.shape[1:])

    def blurred(self, place: float) -> Array32:
        """The tensor at a place: (*source axes) float32."""
        return self._stored(self._spectrum * self._kernel(place))

    def speed(self, place: float) -> Floats:
        """How fast the tensor changes there: the derivative of `blurred` by the place."""
        sigma, change = self._sigma * (1 - place) ** 2, -2 * self._sigma * (1 - place)
        slope = -4 * np.pi**2 * self._frequency * sigma * change * self._kernel(place)
        return self._stored(self._spectrum * slope).astype(np.float64)

    def _kernel(self, place: float) -> Floats:
        kernel: Floats = np.exp(-2 * np.pi**2 * self._frequency * (self._sigma * (1 - place) ** 2) ** 2)
        return kernel

    @cached_property
    def _spectrum(self) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
        height, width = self._planes.shape[1:]
        mirrored = np.pad(self._planes.astype(np.float64), ((0, 0), (0, height), (0, width)), "symmetric")
        return np.fft.rfft2(mirrored)

    @cached_property
    def _frequency(self) -> Floats:
        """Squared frequency of each coefficient, in cycles per position."""
        height, width = self._planes.shape[1:]
        down, across = np.fft.fftfreq(2 * height), np.fft.rfftfreq(2 * width)
        squared: Floats = down[:, None] ** 2 + across**2
        return squared

    def _stored(self, spectrum: np.ndarray[tuple[int, ...], np.dtype[np.complex128]]) -> Array32:
        """Go back from a spectrum to the explained tensor's own axes."""
        height, width = self._planes.shape[1:]
        planes = np.fft.irfft2(spectrum, (2 * height, 2 * width))[:, :height, :width]
        stored = np.empty((1, *self._task.origin.shape), np.float32)
        _planes(self._task, stored)[:] = planes
        tensor: Array32 = stored[0]
        return tensor


def _planes(task: Task, stored: Array32) -> Array32:
    """View (1, *source axes) as (C, H, W).

    Raises:
        UsageError: the layer is no map over two axes.
    """
    if task.at is None:
        seen: Array32 = task.sample.numbers.view(stored)[0]
        return seen
    layer = task.model.layer(task.at)
    if layer.kind != "map" or len(layer.shape) != 3:
        raise UsageError(f"layer {layer.name!r} is no map over two axes; take one that `agnostic inspect` lists as map")
    planes: Array32 = np.moveaxis(stored, layer.channel_axis, 1)[0]
    return planes

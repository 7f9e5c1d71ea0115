"""The numbers of a rendered picture: how much it excites what it is of, how reliably, and how much of it is noise.

Activations are onnxruntime's, of the picture as it is saved, and follow the target's own definition: the mean over all
positions for ``layer:unit``, one position for ``layer:unit@y,x``, the score for a class.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from agnostic.engine.target import Floats, Target
from agnostic.errors import UsageError
from agnostic.optvis.draws import MEASURES, Draws
from agnostic.optvis.params.spatial import frequencies
from agnostic.optvis.rendering import Pictures, Rendering
from agnostic.optvis.scoring import Scorer, pixels
from agnostic.optvis.transforms import Transform, compose, crop_or_pad_to, jitter, pad, random_rotate, random_scale

#: Random transforms over which `Measures.robust` is the mean.
TRIALS = 8
#: Cycles per pixel above which detail counts as fine: half of what pixels can hold.
FINE = 0.25
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Measures:
    """The numbers of one picture; None where there is no such number.

    Attributes:
        objective: what was maximised, at the last step, on the shaken picture.
        activation: of the target. Of a target that is to be low, what is given to its activation function, behind
            which it would be zero.
        before: the same before the activation function; None where there is none.
        robust: the mean activation under `TRIALS` random transforms.
        share: `robust` over `activation`; None unless that is positive.
        fine: the share of the picture's spectral energy above 0.25 cycles per pixel.
        percentile: of the user's pictures, how many in a hundred excite the target less.
        times: `activation` over that of the picture that excites it most; None unless both are positive.
        dead: whether nothing excites the target: no gradient ever reached the picture, or the unit is off at every
            position of it.
    """

    objective: float | None
    activation: float | None = None
    before: float | None = None
    robust: float | None = None
    share: float | None = None
    fine: float | None = None
    percentile: float | None = None
    times: float | None = None
    dead: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON values, floats at float32's precision."""
        return {key: float(f"{v:.6g}") if isinstance(v, float) else v for key, v in asdict(self).items()}

    def beside(self, others: npt.NDArray[np.floating]) -> "Measures":
        """Add where the activation stands among those of the user's pictures, (n,)."""
        if self.activation is None or not len(others):
            return self
        largest = float(others.max())
        positive = self.activation > 0 and largest > 0
        below = 100 * float((others < self.activation).mean())
        return replace(self, percentile=below, times=self.activation / largest if positive else None)


def fine_share(picture: Pictures) -> float:
    """Give the share of spectral energy above 0.25 cycles per pixel, of the brightness without its mean.

    Args:
        picture: (h, w, c); three channels are weighed as the eye does, others evenly; a fourth is opacity.

    >>> checks = np.indices((8, 8)).sum(axis=0)[..., None] % 2
    >>> fine_share(checks.astype(np.float32))
    1.0
    """
    light = picture[..., :3] @ np.asarray(_LUMA) if picture.shape[-1] in (3, 4) else picture.mean(axis=-1)
    height, width = light.shape
    energy = np.abs(np.fft.rfft2(light - light.mean())) ** 2
    # Columns that stand for two: rfft2 leaves out the mirror images.
    energy[:, 1 : (width + 1) // 2] *= 2
    total = energy.sum()
    return float(energy[frequencies(height, width) > FINE].sum() / total) if total > 0 else 0.0


def shakes(height: int, width: int) -> Transform:
    """Give the transforms that robustness is measured under: Lucid's, with a mirrored border that is cut off again.

    The mean over positions then is one over the same picture, not over the grey that rendering puts around it.
    """
    side = min(height, width)
    border = min(12, side - 1)
    shifts = min(8, side // 4), min(4, side // 8)
    return compose(
        [
            pad(border),
            jitter(shifts[0]),
            random_scale([round(0.90 + 0.02 * step, 2) for step in range(11)]),
            random_rotate([*range(-10, 11), 0, 0, 0, 0, 0]),
            jitter(shifts[1]),
            crop_or_pad_to(height, width),
        ]
    )


def measure(
    scorer: Scorer, rendering: Rendering, targets: Sequence[Target | None], *, seed: int = 0, trials: int = TRIALS
) -> tuple[Measures, ...]:
    """Measure every picture of a rendering.

    Args:
        scorer: the model.
        rendering: what was rendered, to its end or not.
        targets: what each picture is of; None for pictures that are of no target, which get fewer numbers.
        seed: of the transforms.
        trials: how many of them.
    """
    found = list(plain_measures(rendering))
    saved = as_saved(rendering.pictures)
    for target in dict.fromkeys(item for item in targets if item is not None):
        rows = [row for row, item in enumerate(targets) if item == target]
        for row, numbers in zip(rows, _of_target(scorer, saved[rows], target, seed, trials), strict=True):
            found[row] = replace(numbers, objective=found[row].objective, fine=found[row].fine)
            if not rendering.moved[row]:
                found[row] = replace(found[row], dead=True)
    return tuple(found)


def plain_measures(rendering: Rendering) -> tuple[Measures, ...]:
    """Give the numbers that need no pass of the model."""
    return tuple(
        Measures(_last(rendering.values[:, row]), fine=fine_share(picture), dead=not rendering.moved[row])
        for row, picture in enumerate(rendering.pictures)
    )


def as_saved(pictures: Pictures) -> Pictures:
    """Round to what an 8-bit file holds, where the pictures are saved in one."""
    if pictures.shape[-1] not in (1, 3, 4):
        return pictures
    rounded: Pictures = (np.rint(np.clip(pictures, 0, 1) * 255) / 255).astype(np.float32)
    return rounded


def _last(values: npt.NDArray[np.float32]) -> float | None:
    reached = values[np.isfinite(values)]
    return float(reached[-1]) if len(reached) else None


def _of_target(scorer: Scorer, pictures: Pictures, target: Target, seed: int, trials: int) -> list[Measures]:
    """Measure pictures of one target."""
    against = all(term.weight < 0 for term in target.entries)
    behind = scorer.parts(target) != scorer.parts(target, before=True)
    activations = scorer.scores(pictures, [target], before=against)[:, 0]
    before = scorer.scores(pictures, [target], before=True)[:, 0] if behind else np.full(len(pictures), np.nan)
    peaks = scorer.peaks(pictures, target) if behind and not against else np.ones(len(pictures))
    rows = []
    for row, (activation, own) in enumerate(zip(activations, before, strict=True)):
        robust = _shaken(scorer, pictures[row], target, seed, trials, against)
        rows.append(
            Measures(
                None,
                activation=float(activation),
                before=float(own) if behind else None,
                robust=robust,
                share=robust / float(activation) if activation > 0 else None,
                dead=bool(peaks[row] <= 0),
            )
        )
    return rows


def _shaken(scorer: Scorer, picture: Pictures, target: Target, seed: int, trials: int, against: bool) -> float:
    """Give the mean over random transforms, each of its own stream."""
    if trials < 1:
        raise UsageError(f"{trials} random transforms: expected at least 1")
    planes = torch.from_numpy(picture).movedim(-1, 0).expand(trials, -1, -1, -1)
    shaken = shakes(*picture.shape[:2])(planes, Draws(seed, range(trials), MEASURES))
    values: Floats = scorer.scores(pixels(shaken), [target], before=against)[:, 0]
    return float(values.mean())

"""Sample: one input, as the arrays the model eats, the thing a person sees, and its features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Array
from agnostic.inputs.features import Features


@dataclass(frozen=True)
class Sample:
    """One input ready to be explained.

    Attributes:
        arrays: one row per input of the model, (1, ...).
        source: the name of the input that is explained.
        features: its pieces.
        name: what a person calls it, such as the file's name.
        picture: (h, w, 3) uint8, the part of the picture that the model sees, at its own resolution; None if there
            is none.
        pixels: (H, W, 3) uint8, the picture at the size the model sees it; None if there is none.
        refill: `refill(fill, seed)` gives what stands in for the whole input under another fill, like `features.fill`;
            None where the sample is no picture.
        notes: what was assumed about it, one line each.
    """

    arrays: Mapping[str, Array]
    source: str
    features: Features
    name: str
    picture: npt.NDArray[np.uint8] | None = None
    pixels: npt.NDArray[np.uint8] | None = None
    refill: Callable[[str, int], npt.NDArray[np.float32]] | None = None
    notes: tuple[str, ...] = ()

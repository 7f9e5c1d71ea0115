"""Sample: one input, as the arrays the model eats, the thing a person sees, and its features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Array
from agnostic.errors import UsageError
from agnostic.inputs.features import Features, NumericFeatures


class Text(str):
    """A text that is meant as such, and not as the name of a file."""


@dataclass(frozen=True)
class Sample:
    """One input ready to be explained.

    Attributes:
        arrays: one row per input of the model, (1, ...).
        source: the name of the input that is explained; the first of them where there are several.
        features: its pieces.
        name: what a person calls it, such as the file's name.
        picture: (h, w, 3) uint8, the part of the picture that the model sees, at its own resolution; None if there
            is none.
        pixels: (H, W, 3) uint8, the picture at the size the model sees it; None if there is none.
        refill: `refill(fill, seed)` gives what stands in for the whole input under another fill, like `features.fill`;
            None where there is no such thing.
        cut: `cut(count)` gives about that many regions of alike positions, as labels (H, W) int32; None where the
            sample is no picture.
        notes: what was assumed about it, one line each.
        shown: what a person sees where it is no picture, in plain JSON values under a `kind` that `agnostic.gallery`
            knows how to draw; empty otherwise.
        differentiable: the tensor that stands for the source where that holds integers, such as the output of an
            embedding; None where gradients go to the source itself.
        again: makes a sample of something else of the same kind, read in the same way; None where that is unknown.
    """

    arrays: Mapping[str, Array]
    source: str
    features: Features
    name: str
    picture: npt.NDArray[np.uint8] | None = None
    pixels: npt.NDArray[np.uint8] | None = None
    refill: Callable[[str, int], npt.NDArray[np.float32]] | None = None
    cut: Callable[[int], npt.NDArray[np.int32]] | None = None
    notes: tuple[str, ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)
    differentiable: str | None = None
    again: "Callable[[str], Sample] | None" = None

    def another(self, given: str) -> "Sample":
        """Read something else just as this was read.

        Args:
            given: a file, a text, or of a table the number of a row.

        Raises:
            UsageError: this sample does not know how it was read.
            InputError: what is given cannot be read.
        """
        if self.again is None:
            raise UsageError(f"{self.name!r} cannot be compared with {given!r}: make it with read_sample")
        return self.again(given)

    @property
    def numbers(self) -> NumericFeatures:
        """Its features, where the explained input holds numbers.

        Raises:
            UsageError: it does not.
        """
        if not isinstance(self.features, NumericFeatures):
            raise UsageError(
                f"{self.name!r} is not given to the model as numbers in one input; take a method that switches "
                "features on and off: `agnostic methods` lists them"
            )
        return self.features

    @property
    def data(self) -> npt.NDArray[np.float32] | None:
        """The explained input as the model eats it: (C, H, W) or (D,); None where it is no array of numbers."""
        if not isinstance(self.features, NumericFeatures):
            return None
        x = self.features.x
        return x if self.features.is_grid else x[0]

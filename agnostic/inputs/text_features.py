"""Features of a text: words, tokens or sentences, and how a model is given the text without them.

A model that reads the text itself gets it with words dropped or replaced. One that eats the numbers of tokens gets
these: either others in their place, or none, with what is left moved together and the attention mask with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from agnostic.engine.sweep import Rows
from agnostic.engine.target import Array
from agnostic.errors import UsageError
from agnostic.inputs.features import Features, Keep
from agnostic.inputs.words import fuse

Fill = Literal["remove", "mask", "unknown", "pad"]
Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class _Strings:
    """What a text in pieces holds beside its labels; apart, so that these have no defaults in front of them."""

    source: str
    pieces: tuple[str, ...]
    gaps: tuple[str, ...]
    stand_in: str | None


@dataclass(frozen=True)
class StringFeatures(Features, _Strings):
    """Features of a text that the model reads itself; the positions are its words.

    Attributes:
        source: the input.
        pieces: the words.
        gaps: what stands before each of them, and behind the last.
        stand_in: what stands in for a word that is off; None drops it.
    """

    @property
    def inputs(self) -> Mapping[str, npt.DTypeLike]:
        """The one input, of strings."""
        return {self.source: np.dtype(object)}

    def blend(self, keep: Keep, rows: Rows, draw: npt.NDArray[np.intp] | None = None) -> None:
        """Write texts without the words of features that are off."""
        out = rows[self.source]
        on = _padded(keep)[:, self.labels]
        for row, kept in enumerate(on):
            out[row] = self._text(kept)

    def _text(self, kept: npt.NDArray[np.bool_]) -> str:
        """Put words together; where some are dropped, one gap is left, and one made where two words would fuse."""
        parts: list[str] = []
        gap = ""
        for before, word, stays in zip(self.gaps, self.pieces, kept, strict=False):
            gap = gap or before
            if stays or self.stand_in is not None:
                written = word if stays else self.stand_in or ""
                if parts and not gap and fuse(parts[-1], written):
                    gap = " "
                parts += [gap, written]
                gap = ""
        return "".join([*parts, self.gaps[-1]])


@dataclass(frozen=True)
class _Numbered:
    """What a text in numbers holds beside its labels."""

    source: str
    rows: Mapping[str, Numbers]
    attention_mask: str | None
    fill: Fill
    stand_ins: Mapping[str, int | None]
    pads_left: bool
    length: int


@dataclass(frozen=True)
class TokenFeatures(Features, _Numbered):
    """Features of a text that the model eats as the numbers of tokens; the positions are these, padding included.

    Attributes:
        source: the input of the tokens' numbers.
        rows: by input name, (T,) what goes with the tokens: their numbers, the text that each belongs to, the mask.
        attention_mask: the input that says which tokens are to be seen; None where there is none.
        fill: what happens to a token that is off.
        stand_ins: the numbers that stand for `mask`, `unknown` and `pad`; None where there is none.
        pads_left: whether padding goes in front.
        length: how many tokens there are without padding.
    """

    def __post_init__(self) -> None:
        """Refuse a way to be off that this model does not have.

        Raises:
            UsageError: there is no number for it.
        """
        needed = "pad" if self.fill == "remove" else self.fill
        if self.stand_ins[needed] is None and not (needed == "pad" and self.attention_mask):
            known = [name for name, number in self.stand_ins.items() if number is not None]
            raise UsageError(
                f"--fill {self.fill}: the model's tokenizer has no token for {needed}; "
                + (f"expected one of {', '.join(known)}" if known else f"declare {needed} under [text]")
            )

    @property
    def inputs(self) -> Mapping[str, npt.DTypeLike]:
        """The inputs that go with the tokens."""
        return {name: row.dtype for name, row in self.rows.items()}

    def blend(self, keep: Keep, rows: Rows, draw: npt.NDArray[np.intp] | None = None) -> None:
        """Write rows of tokens without those of features that are off."""
        on = _padded(keep)[:, self.labels]
        if self.fill == "remove":
            self._compact(on, rows)
        else:
            self._replace(on, rows, self.fill)

    @property
    def used(self) -> slice:
        """The tokens that are no padding."""
        size = self.shape[0]
        return slice(size - self.length, size) if self.pads_left else slice(0, self.length)

    def emptied(self, arrays: Rows) -> dict[str, Array]:
        """Give the inputs with every feature off and every token in its place, so that what is removed is padding."""
        rows = {name: np.empty_like(arrays[name][:1]) for name in self.rows}
        self._replace((self.labels == self.count)[None], rows, "pad" if self.fill == "remove" else self.fill)
        return rows

    def _replace(self, on: npt.NDArray[np.bool_], rows: Rows, fill: Fill) -> None:
        """Put another token in the place of one that is off; a padded place is not to be seen."""
        for name, row in self.rows.items():
            rows[name][:] = row
        rows[self.source][:] = np.where(on, self.rows[self.source], self.stand_ins[fill] or 0)
        if fill == "pad" and self.attention_mask is not None:
            rows[self.attention_mask][:] = np.where(on, self.rows[self.attention_mask], 0)

    def _compact(self, on: npt.NDArray[np.bool_], rows: Rows) -> None:
        """Move what is left together, and pad the rest."""
        order = np.argsort(on if self.pads_left else ~on, axis=1, kind="stable")
        stays = np.take_along_axis(on, order, axis=1)
        for name, row in self.rows.items():
            beyond = (self.stand_ins["pad"] or 0) if name == self.source else 0
            rows[name][:] = np.where(stays, row[order], beyond)


def _padded(keep: Keep) -> Keep:
    """Add the positions that belong to no feature: they stay."""
    return np.concatenate([keep, np.ones((len(keep), 1), np.bool_)], axis=1)

"""From a text to the numbers a model eats, and from each number back to where in the text it came from.

A tokeniser is either a Hugging Face `tokenizer.json`, run by the package of that name, or a vocabulary with a plain
rule for what its words are. Both give `Tokens`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agnostic.errors import InputError, UsageError, missing_extra
from agnostic.inputs.words import Span

DEFAULT_PATTERN = r"\w+|[^\w\s]"
# A pattern comes with the model file: one that can be matched in ever so many ways is no pattern but an endless loop.
_LONGEST_PATTERN = 200
_ONE_LETTER = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\d*\}")
_REPEATED_GROUP = re.compile(r"\)[*+{]|\(\?[^:]")


@dataclass(frozen=True)
class Tokens:
    """A text, or two, as numbers.

    Attributes:
        ids: one for each token.
        types: what the model is told of each, such as the text that it belongs to.
        parts: the text that each came from, 0 or 1.
        spans: where in that text, start and stop; None for tokens that the tokeniser adds.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    parts: tuple[int, ...]
    spans: tuple[Span | None, ...]

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self.ids)


class Tokeniser(Protocol):
    """What turns texts into tokens.

    Attributes:
        pad, mask, unknown: the numbers of the tokens that stand for nothing, for a hidden one, and for any that is not
            known; None where there is none.
        pads_left: whether padding goes in front.
    """

    @property
    def pad(self) -> int | None: ...  # noqa: D102 - above
    @property
    def mask(self) -> int | None: ...  # noqa: D102
    @property
    def unknown(self) -> int | None: ...  # noqa: D102
    @property
    def pads_left(self) -> bool: ...  # noqa: D102

    def tokens(self, texts: Sequence[str], longest: int | None) -> Tokens:
        """Turn one text or a pair into tokens, at most `longest` of them: what is more is cut off."""


@dataclass(frozen=True)
class Vocabulary:
    """A plain list of tokens, and what counts as one.

    Attributes:
        numbers: of every token.
        pattern: what a token is; matches that follow each other.
        lowercase: whether case is lowered first.
        pad, mask, unknown: as for `Tokeniser`.
    """

    numbers: Mapping[str, int]
    pattern: "re.Pattern[str]"
    lowercase: bool = True
    pad: int | None = None
    mask: int | None = None
    unknown: int | None = None
    pads_left: bool = False

    def tokens(self, texts: Sequence[str], longest: int | None) -> Tokens:
        """Look up what the pattern finds; what is not known gets the number for that, or is left out without one."""
        if len(texts) != 1:
            raise InputError("a pair of texts needs a tokenizer.json, which says how they are joined; give one text")
        found: list[tuple[int, Span]] = []
        for match in self.pattern.finditer(texts[0]):
            token = match.group().lower() if self.lowercase else match.group()
            number = self.numbers.get(token, self.unknown)
            if number is not None and match.group():
                found.append((number, match.span()))
        kept = found[:longest]
        zeros = (0,) * len(kept)
        return Tokens(tuple(number for number, _ in kept), zeros, zeros, tuple(span for _, span in kept))


def pattern_of(text: str, lowercase: bool, origin: str) -> "re.Pattern[str]":
    """Compile the pattern of a token, after checking that it cannot be matched in ever so many ways.

    Raises:
        UsageError: it is no pattern, or one that repeats what repeats.
    """
    if not _is_plain(text):
        raise UsageError(
            f"{origin}: pattern {text[:60]!r}: expected a plain one such as {DEFAULT_PATTERN!r}, whose alternatives "
            "repeat one thing each"
        )
    try:
        return re.compile(text, re.IGNORECASE if lowercase else 0)
    except re.error as error:
        raise UsageError(f"{origin}: pattern {text!r}: {error}") from error


def _is_plain(text: str) -> bool:
    """Whether each alternative repeats one thing at most, no group repeats, and nothing looks around or back."""
    plain = _ONE_LETTER.sub("x", text.removeprefix("(?u)"))
    alternatives = [plain] if "(" in plain else plain.split("|")
    return (
        len(text) <= _LONGEST_PATTERN
        and all(len(_UNBOUNDED.findall(part)) <= 1 for part in alternatives)
        and not _REPEATED_GROUP.search(plain)
        and not re.search(r"\\[1-9]", text)
    )


class HuggingFace:
    """A `tokenizer.json`; attributes as for `Tokeniser`."""

    pad: int | None
    mask: int | None
    unknown: int | None

    def __init__(self, content: str, origin: str) -> None:
        """Read it.

        Args:
            content: of the file.
            origin: what to call it in an error.

        Raises:
            UsageError: the package `tokenizers` is missing, or the content is no tokenizer.
        """
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise missing_extra("tokenizers", "text", f"{origin}") from None
        try:
            self._inner = Tokenizer.from_str(content)
        except Exception as error:  # the package raises plain exceptions
            raise UsageError(f"{origin}: no tokenizer: {' '.join(str(error).split())[:120]}") from error
        self.pads_left = bool(self._inner.padding and self._inner.padding.get("direction") == "left")
        padding = self._inner.padding or {}
        self._inner.no_padding()
        self._inner.no_truncation()
        self.pad = padding.get("pad_id", self._first("[PAD]", "<pad>", "<|pad|>"))
        self.mask = self._first("[MASK]", "<mask>")
        self.unknown = self._first(getattr(self._inner.model, "unk_token", None), "[UNK]", "<unk>")

    def number(self, token: str) -> int | None:
        """Look a token up."""
        found: int | None = self._inner.token_to_id(token)
        return found

    def _first(self, *names: str | None) -> int | None:
        found = (self.number(name) for name in names if name)
        return next((number for number in found if number is not None), None)

    def tokens(self, texts: Sequence[str], longest: int | None) -> Tokens:
        """Run the tokenizer, with the tokens that it adds."""
        if longest is not None:
            self._inner.enable_truncation(longest)
        try:
            found = self._inner.encode(texts[0], texts[1] if len(texts) > 1 else None)
        except Exception as error:
            raise InputError(f"the tokenizer cannot read this text: {' '.join(str(error).split())[:120]}") from error
        finally:
            self._inner.no_truncation()
        parts = found.sequence_ids
        spans = tuple(None if part is None else span for part, span in zip(parts, found.offsets, strict=True))
        return Tokens(tuple(found.ids), tuple(found.type_ids), tuple(part or 0 for part in parts), spans)

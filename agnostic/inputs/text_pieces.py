"""The pieces of a text: which words, tokens or sentences can be off, and what goes to the model for each."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError
from agnostic.inputs.array import complete
from agnostic.inputs.sample import Sample
from agnostic.inputs.text_facts import TextFacts
from agnostic.inputs.text_features import Fill, Numbers, StringFeatures, TokenFeatures
from agnostic.inputs.tokenising import Tokeniser, Tokens
from agnostic.inputs.words import Span, sentences, words

CUTS = ("words", "tokens", "sentences")
FILLS: tuple[Fill, ...] = ("remove", "mask", "unknown", "pad")
SHOWN_NAME = 60
_POSITIONS = ("position_ids", "positions")


class Written(NamedTuple):
    """A text or a pair of them, as a person sees it and as the tokeniser gets it.

    Attributes:
        shown: all of it; the second of a pair stands on a line of its own.
        parts: the one text, or the two.
        starts: where each part begins in what is shown.
    """

    shown: str
    parts: tuple[str, ...]
    starts: tuple[int, ...]


def of_strings(
    model: Model, facts: TextFacts, written: Written, cut: str, fill: str | None, others: Mapping[str, Array]
) -> Sample:
    """Make a sample for a model that reads the text itself.

    Args:
        model: the model.
        facts: how it eats texts.
        written: the text.
        cut: its pieces, one of `CUTS`.
        fill: what happens to a piece that is off, one of `FILLS`; it is removed by default.
        others: arrays of other inputs.

    Raises:
        InputError: there is no word in it.
        UsageError: the model has no such pieces or fill.
    """
    if cut == "tokens":
        raise UsageError("--features tokens: this model reads the text itself; take words or sentences")
    text, fill = written.shown, fill or "remove"
    places, features = _pieces(text, "words"), _pieces(text, cut)
    starts, ends = [*(start for start, _ in places), len(text)], [0, *(stop for _, stop in places)]
    made = StringFeatures(
        source=facts.input,
        pieces=tuple(text[start:stop] for start, stop in places),
        gaps=tuple(text[end:start] for end, start in zip(ends, starts, strict=True)),
        stand_in=_word_for(fill, facts),
        labels=np.array([_inside(features, start) for start, _ in places], np.int32),
        **_names(text, features),
    )
    tensor = next(item for item in model.inputs if item.name == facts.input)
    arrays, notes = complete(model, {facts.input: np.full((1,) * len(tensor.shape), text, object), **others})
    shown = _shown(text, features, cut, fill)
    return Sample(model.feeds(arrays), facts.input, made, _name(text), notes=notes, shown=shown)


def of_tokens(
    model: Model, facts: TextFacts, written: Written, cut: str, fill: str | None, others: Mapping[str, Array]
) -> Sample:
    """Make a sample for a model that eats the numbers of tokens; arguments and errors as for `of_strings`.

    What is off is masked by default where the tokeniser has a token for that, else unknown, else removed.
    """
    tokeniser, text = _tokeniser(facts), written.shown
    tokens, notes = _tokens(tokeniser, facts, written)
    spans = list(_shown_spans(tokens, written))
    features, labels = _labelled(text, spans, cut)
    rows = _rows(model, facts, tokens)
    padding = len(rows[facts.input]) - len(tokens)
    made = TokenFeatures(
        source=facts.input,
        rows=rows,
        attention_mask=facts.attention_mask,
        fill=_fill(tokeniser, fill),
        stand_ins={"mask": tokeniser.mask, "unknown": tokeniser.unknown, "pad": tokeniser.pad},
        pads_left=tokeniser.pads_left,
        length=len(tokens),
        labels=np.pad(labels, _sides(tokeniser, padding), constant_values=len(features)),
        **_names(text, features),
    )
    arrays, more = complete(
        model, {**_positions(model, rows), **{key: row[None] for key, row in rows.items()}, **others}
    )
    return Sample(
        model.feeds(arrays), facts.input, made, _name(text), notes=(*notes, *more),
        shown=_shown(text, features, cut, made.fill), differentiable=facts.embedding,
    )  # fmt: skip


def _pieces(text: str, cut: str) -> list[Span]:
    found = sentences(text) if cut == "sentences" else words(text)
    if not found:
        raise InputError(f"the text {text[:40]!r} holds no word; expected at least one")
    return found


def _inside(features: Sequence[Span], place: int) -> int:
    """Find the feature that holds a character; -1 for one between them."""
    found = bisect_right(features, place, key=lambda span: span[0]) - 1
    return found if found >= 0 and place < features[found][1] else -1


def _names(text: str, features: Sequence[Span]) -> dict[str, Any]:
    names = tuple(text[start:stop] for start, stop in features)
    return {"names": names, "identities": tuple(name.lower() for name in names)}


def _shown(text: str, features: Sequence[Span], cut: str, fill: str) -> dict[str, Any]:
    return {"kind": "text", "text": text, "pieces": [list(span) for span in features], "features": cut, "fill": fill}


def _name(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_NAME else line[: SHOWN_NAME - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _word_for(fill: str, facts: TextFacts) -> str | None:
    if fill == "remove":
        return None
    found = (facts.stand_ins or {}).get(fill)
    if found is None:
        raise UsageError(
            f"--fill {fill}: this model reads words and declares none for that; take remove, or declare {fill} = WORD "
            "under [text]"
        )
    return found


def _tokeniser(facts: TextFacts) -> Tokeniser:
    if facts.tokeniser is None:
        raise UsageError("this model eats the numbers of tokens and brings no tokenizer")
    return facts.tokeniser


def _tokens(tokeniser: Tokeniser, facts: TextFacts, written: Written) -> tuple[Tokens, tuple[str, ...]]:
    """Turn the text into tokens, no more of them than the model takes."""
    found = tokeniser.tokens(written.parts, None)
    if facts.length is None or len(found) <= facts.length:
        return found, ()
    if not facts.truncate:
        raise InputError(
            f"the text has {len(found)} tokens, the model takes {facts.length}: shorten it, or declare "
            "truncate = true under [text]"
        )
    note = f"the text has {len(found)} tokens, the model takes {facts.length}: what comes behind is not seen"
    return tokeniser.tokens(written.parts, facts.length), (note,)


def _shown_spans(tokens: Tokens, written: Written) -> Iterator[Span | None]:
    """Bring the spans of tokens to what is shown, without the space in front that some tokens include."""
    for part, span in zip(tokens.parts, tokens.spans, strict=True):
        if span is None:
            yield None
            continue
        piece = written.parts[part][span[0] : span[1]]
        start = written.starts[part] + span[0] + len(piece) - len(piece.lstrip())
        yield (start, max(start, written.starts[part] + span[1]))


def _labelled(text: str, spans: Sequence[Span | None], cut: str) -> tuple[list[Span], npt.NDArray[np.int32]]:
    """Cut the text into features that have tokens, and label these by them; one that is nowhere belongs to none."""
    pieces = _merged(spans) if cut == "tokens" else _pieces(text, cut)
    found = [-1 if span is None or span[0] == span[1] else _inside(pieces, span[0]) for span in spans]
    used = sorted(set(found) - {-1})
    if not used:
        raise InputError(f"the tokenizer finds no word in {text[:40]!r}; expected at least one")
    places = {number: place for place, number in enumerate(used)}
    return [pieces[number] for number in used], np.array([places.get(at, len(used)) for at in found], np.int32)


def _merged(spans: Sequence[Span | None]) -> list[Span]:
    """Join tokens that share a character, such as the bytes of one emoji."""
    pieces: list[Span] = []
    for start, stop in sorted(span for span in spans if span is not None and span[0] < span[1]):
        if pieces and start < pieces[-1][1]:
            pieces[-1] = (pieces[-1][0], max(stop, pieces[-1][1]))
        else:
            pieces.append((start, stop))
    return pieces


def _rows(model: Model, facts: TextFacts, tokens: Tokens) -> dict[str, Numbers]:
    """Lay out what goes with the tokens, padded to the number that the graph fixes: by input name, (T,) each."""
    tokeniser, types = _tokeniser(facts), {tensor.name: tensor.dtype for tensor in model.inputs}
    padding = facts.length - len(tokens) if facts.fixed and facts.length is not None else 0
    if padding and tokeniser.pad is None and facts.attention_mask is None:
        raise UsageError(
            f"the model takes {facts.length} tokens, the text has {len(tokens)}, and nothing says what to pad it with: "
            "declare pad under [text]"
        )
    rows: dict[str, tuple[Sequence[int], int]] = {facts.input: (tokens.ids, tokeniser.pad or 0)}
    if facts.attention_mask is not None:
        rows[facts.attention_mask] = ([1] * len(tokens), 0)
    if facts.token_type_ids is not None:
        rows[facts.token_type_ids] = (tokens.types, 0)
    return {
        name: np.pad(np.array(row, types[name]), _sides(tokeniser, padding), constant_values=beyond)
        for name, (row, beyond) in rows.items()
    }


def _sides(tokeniser: Tokeniser, padding: int) -> tuple[int, int]:
    return (padding, 0) if tokeniser.pads_left else (0, padding)


def _positions(model: Model, rows: Mapping[str, Array]) -> dict[str, Array]:
    """Count the tokens through, for a model that wants that as an input."""
    length = len(next(iter(rows.values())))
    wanted = [tensor for tensor in model.inputs if tensor.name.lower() in _POSITIONS and len(tensor.shape) == 2]
    return {tensor.name: np.arange(length, dtype=tensor.dtype)[None] for tensor in wanted}


def _fill(tokeniser: Tokeniser, fill: str | None) -> Fill:
    """What happens to a token that is off: as asked, or by the tokeniser's own means."""
    for known in FILLS:
        if fill == known:
            return known
    if tokeniser.mask is not None:
        return "mask"
    return "unknown" if tokeniser.unknown is not None else "remove"

r"""What a model says of the texts it eats: the section `text`, a Hugging Face folder, or its inputs alone.

::

    [text]
    kind = "tokens"                 # or "strings", for a model that reads the text itself
    input = "input_ids"             # where the text goes; attention_mask and token_type_ids likewise
    tokenizer = "tokenizer.json"    # beside the model, or its content; or, in its place, the five lines below
    vocabulary = "vocab.txt"        # one token a line, JSON {token: number}, or a list right here
    pattern = "\\w+|[^\\w\\s]"      # what a token is
    lowercase = true
    pad = "<pad>"                   # tokens or their numbers: padding, any unknown one, a hidden one
    unknown = "<unk>"
    length = 128                    # the most tokens it takes
    truncate = true                 # cut longer texts off, with a note, instead of refusing them
    pair = true                     # a tab separates two texts
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from agnostic.converters.embedding import embedding_of
from agnostic.engine.model import Model
from agnostic.engine.signature import Tensor
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.tokenising import DEFAULT_PATTERN, HuggingFace, Tokeniser, Vocabulary, pattern_of

LARGEST_FILE = 64 * 2**20
_KEYS: dict[str, type | tuple[type, ...]] = {
    "kind": str, "input": str, "attention_mask": str, "token_type_ids": str, "tokenizer": (str, Mapping),
    "vocabulary": (str, Mapping, list, tuple), "pattern": str, "lowercase": bool, "pad": (str, int),
    "unknown": (str, int), "mask": (str, int), "length": int, "truncate": bool, "pair": bool,
}  # fmt: skip
_IDS = ("input_ids", "ids", "tokens", "token_ids", "text", "input")
_MASKS = ("attention_mask", "input_mask", "mask")
_TYPES = ("token_type_ids", "segment_ids")


@dataclass(frozen=True)
class TextFacts:
    """How a model eats texts.

    Attributes:
        kind: the text itself, or the numbers of its tokens.
        input: the input that it goes to.
        attention_mask, token_type_ids: the inputs beside it, where there are such.
        tokeniser: what makes the numbers; None for a model that reads the text itself.
        stand_ins: words that stand for a hidden or an unknown one, where the model reads the text itself.
        length: the most tokens it takes, or the very number where the graph fixes that; None where any will do.
        fixed: whether the graph fixes the number of tokens.
        truncate: whether longer texts are cut off.
        pair: whether a tab in a text separates two of them.
        embedding: the vectors of the tokens, (n, tokens, channels); None where the graph shows none.
    """

    kind: Literal["strings", "tokens"]
    input: str
    attention_mask: str | None = None
    token_type_ids: str | None = None
    tokeniser: Tokeniser | None = None
    stand_ins: Mapping[str, str] | None = None
    length: int | None = None
    fixed: bool = False
    truncate: bool = False
    pair: bool = False
    embedding: str | None = None


# One entry per model, forgotten with it: a tokenizer takes a while to read.
_KNOWN: WeakKeyDictionary[Model, TextFacts] = WeakKeyDictionary()


def eats_text(model: Model) -> bool:
    """Tell whether a model is known to eat text, without reading its tokenizer."""
    if "text" in model.declared:
        return True
    if len(model.inputs) == 1 and model.inputs[0].is_text:
        return "table" not in model.declared
    return _tokenizer_beside(model) is not None and _named(model, _IDS) is not None


def text_facts(model: Model) -> TextFacts:
    """Gather how a model eats texts.

    Raises:
        InputError: it eats none.
        UsageError: what is declared makes no sense, or the tokenizer is missing or broken.
    """
    if model not in _KNOWN:
        _KNOWN[model] = _gathered(model)
    return _KNOWN[model]


def summary(model: Model) -> str | None:
    """Say in one line how a model eats texts; None where it is not known to.

    Raises:
        UsageError: as for `text_facts`.
    """
    if not eats_text(model):
        return None
    facts = text_facts(model)
    if facts.tokeniser is None:
        return f"{facts.input}: the text itself; a word that is off is removed"
    known = [name for name in ("mask", "unknown", "pad") if getattr(facts.tokeniser, name) is not None]
    most = "" if facts.length is None else f", {'padded to' if facts.fixed else 'at most'} {facts.length}"
    vectors = "" if facts.embedding is None else f"; gradients at {facts.embedding}"
    return f"{facts.input}: tokens{most}; --fill {' '.join([*known, 'remove'])}{vectors}"


def _gathered(model: Model) -> TextFacts:
    told = _checked(model.declared.get("text", {}))
    tensor = _source(model, told)
    if told.get("kind", "strings" if tensor.is_text else "tokens") != ("strings" if tensor.is_text else "tokens"):
        raise UsageError(f"[text] kind = {told['kind']!r}: the input is {tensor}; expected the other kind")
    truncate, pair = bool(told.get("truncate", False)), bool(told.get("pair", False))
    if tensor.is_text:
        return TextFacts("strings", tensor.name, stand_ins=_stand_ins(told), pair=pair)
    fixed = isinstance(tensor.shape[1], int) and tensor.shape[1] > 0
    length = int(tensor.shape[1]) if fixed else told.get("length")
    if length is None and truncate:
        raise UsageError("[text] truncate = true needs length = N, the tokens to keep; the graph takes any number")
    return TextFacts(
        "tokens",
        tensor.name,
        _beside(model, told, "attention_mask", _MASKS, tensor),
        _beside(model, told, "token_type_ids", _TYPES, tensor),
        _tokeniser(model, told),
        length=length,
        fixed=fixed,
        truncate=truncate,
        pair=pair,
        embedding=embedding_of(model.proto, tensor.name),
    )


def _checked(told: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, value in told.items():
        if key not in _KEYS:
            raise unknown("key of [text]", key, _KEYS)
        expected = _KEYS[key]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            names = [kind.__name__ for kind in (expected if isinstance(expected, tuple) else (expected,))]
            raise UsageError(f"[text] {key} = {str(value)[:40]!r}: expected {' or '.join(names)}")
    if told.get("kind", "strings") not in ("strings", "tokens"):
        raise UsageError(f"[text] kind = {told['kind']!r}: expected strings or tokens")
    if told.get("length", 1) < 1:
        raise UsageError(f"[text] length = {told['length']}: expected at least 1")
    return told


def _source(model: Model, told: Mapping[str, Any]) -> Tensor:
    """Find the input that a text goes to: strings (n) or (n, 1), or integers (n, tokens)."""
    if name := told.get("input"):
        found = next((tensor for tensor in model.inputs if tensor.name == name), None)
        if found is None:
            raise unknown("input in [text]", name, [tensor.name for tensor in model.inputs])
    else:
        texts = [tensor for tensor in model.inputs if tensor.is_text]
        found = texts[0] if len(texts) == 1 else _named(model, _IDS)
    if found is None or not _fits(found):
        raise InputError(
            f"{model.name!r} takes no text: its input is {', '.join(map(str, model.inputs))}; give a picture, an array "
            "or a row, or say under [text] which input a text goes to"
        )
    return found


def _fits(tensor: Tensor) -> bool:
    if tensor.is_text:
        return len(tensor.shape) == 1 or (
            len(tensor.shape) == 2 and (tensor.shape[1] == 1 or _is_free(tensor.shape[1]))
        )
    return tensor.is_integer and len(tensor.shape) == 2


def _is_free(size: int | str) -> bool:
    return isinstance(size, str) or size < 1


def _named(model: Model, names: tuple[str, ...]) -> Tensor | None:
    """Find the input of integers (n, tokens) of such a name; the only one of that shape where none is named so."""
    rows = [tensor for tensor in model.inputs if tensor.is_integer and len(tensor.shape) == 2]
    by_name = {tensor.name.lower(): tensor for tensor in rows}
    named = next((by_name[name] for name in names if name in by_name), None)
    return named or (rows[0] if len(rows) == 1 else None)


def _beside(model: Model, told: Mapping[str, Any], key: str, names: tuple[str, ...], source: Tensor) -> str | None:
    known = {tensor.name: tensor for tensor in model.inputs if tensor.name != source.name}
    if key in told and told[key] not in known:
        raise unknown(f"{key} in [text]", told[key], known)
    lowered = {name.lower(): name for name, tensor in known.items() if len(tensor.shape) == 2}
    return told.get(key) or next((lowered[name] for name in names if name in lowered), None)


def _stand_ins(told: Mapping[str, Any]) -> Mapping[str, str]:
    found = {key: told[key] for key in ("mask", "unknown") if key in told}
    if wrong := next((key for key, word in found.items() if not isinstance(word, str)), None):
        raise UsageError(f"[text] {wrong} = {told[wrong]!r}: this model reads words; give one")
    return found


def _tokeniser(model: Model, told: Mapping[str, Any]) -> Tokeniser:
    if "vocabulary" in told:
        return _vocabulary(model, told)
    given = told.get("tokenizer", _tokenizer_beside(model))
    if given is None:
        raise UsageError(
            f"{model.name!r} eats the numbers of tokens and brings no tokenizer: put its tokenizer.json beside the "
            "file, or name one, or a vocabulary, under [text] in MODEL.agnostic.toml"
        )
    if isinstance(given, Mapping):
        content, origin = json.dumps(given), "the tokenizer in the metadata"
    elif isinstance(given, str) and given.lstrip().startswith("{"):
        content, origin = given, "the tokenizer in the metadata"
    else:
        content, origin = _read(model, str(given)), Path(given).name
    made = HuggingFace(content, origin)
    for key in ("pad", "mask", "unknown"):
        if key in told:
            setattr(made, key, _number(told[key], made.number, f"[text] {key}"))
    return made


def _vocabulary(model: Model, told: Mapping[str, Any]) -> Vocabulary:
    numbers = _numbered(model, told["vocabulary"])
    lowercase = bool(told.get("lowercase", True))
    made = Vocabulary(numbers, pattern_of(told.get("pattern", DEFAULT_PATTERN), lowercase, "[text]"), lowercase)
    special: dict[str, Any] = {
        key: _number(told[key], numbers.get, f"[text] {key}") for key in ("pad", "mask", "unknown") if key in told
    }
    return replace(made, **special)


def _numbered(model: Model, given: Any) -> dict[str, int]:
    """Read a vocabulary: token to number."""
    if isinstance(given, str):
        text = _read(model, given)
        try:
            given = json.loads(text) if given.endswith(".json") else text.splitlines()
        except ValueError as error:
            raise UsageError(f"{given}: not valid JSON") from error
    if isinstance(given, Mapping) and all(type(number) is int for number in given.values()):
        return dict(given)
    if isinstance(given, list | tuple) and all(isinstance(token, str) for token in given):
        return {token: number for number, token in enumerate(given)}
    raise UsageError("[text] vocabulary: expected a list of tokens, or token to number; one a line in a file")


def _number(given: str | int, find: Any, origin: str) -> int:
    number = given if isinstance(given, int) else find(given)
    if number is None or number < 0:
        raise UsageError(f"{origin} = {given!r}: the vocabulary has no such token")
    return int(number)


def _folders(model: Model) -> list[Path]:
    """Where a model's own files lie: beside it, and above it in a Hugging Face folder."""
    if model.path is None:
        return []
    folder = model.path.parent
    return [folder, *([folder.parent] if folder.name == "onnx" else [])]


def _tokenizer_beside(model: Model) -> str | None:
    return "tokenizer.json" if any((folder / "tokenizer.json").is_file() for folder in _folders(model)) else None


def _read(model: Model, name: str) -> str:
    """Read a file that lies beside the model; never one outside of its folder."""
    folders = _folders(model)
    if not folders:
        raise UsageError(f"[text] names the file {name!r}, but this model comes from no file: open it by its path")
    path = next((folder / name for folder in folders if (folder / name).is_file()), folders[0] / name)
    if not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
        raise UsageError(f"[text] {name!r} lies outside of the model's folder; put it beside the model")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{name}: larger than {LARGEST_FILE >> 20} MB")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from error

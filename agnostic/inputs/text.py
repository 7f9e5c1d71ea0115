"""A text as a sample: cut into words, tokens or sentences, for models that read it or eat the numbers of its tokens."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.array import complete, read_array
from agnostic.inputs.sample import Sample, Text
from agnostic.inputs.text_facts import TextFacts, eats_text, text_facts
from agnostic.inputs.text_pieces import CUTS, FILLS, Written, of_strings, of_tokens

if TYPE_CHECKING:
    from agnostic.inputs.reading import Reading

LONGEST = 2**20


def is_text(model: Model, name: str, given: Any, _reading: "Reading") -> bool:
    """Whether what is given for an input is a text, as far as model and value tell."""
    if isinstance(given, Text):
        return True
    if not eats_text(model) or (name and name not in _text_inputs(model)):
        return False
    if isinstance(given, np.ndarray):
        return given.dtype.kind in "OU"
    return _is_file_or_string(given) or _is_pair(given)


def text_sample(model: Model, given: Mapping[str, Any], reading: "Reading") -> Sample:
    """Make a sample of a text.

    Args:
        model: the model.
        given: the text by input name ("" is the input that fits): a string, a pair of them, or the path of a .txt file
            whose only line, or line `reading.row`, is meant; and arrays for other inputs.
        reading: how to read it (`inputs.reading.Reading`).

    Raises:
        InputError: the text is empty, broken or longer than the model takes, or the model takes none.
        UsageError: unknown features or fill, or a declaration that makes no sense.
    """
    facts = text_facts(model)
    named = {name or facts.input: value for name, value in given.items()}
    if stray := sorted(set(named) - {tensor.name for tensor in model.inputs}):
        raise unknown("input", stray[0], [tensor.name for tensor in model.inputs])
    if facts.input not in named:
        raise UsageError(f"a text goes to the input {facts.input!r}, and nothing was given for that")
    _check_reading(reading, facts)
    written = _written(named.pop(facts.input), facts, reading.row)
    cut = reading.features if isinstance(reading.features, str) else "words"
    others = {name: _other(model, name, value) for name, value in named.items()}
    make = of_strings if facts.kind == "strings" else of_tokens
    return make(model, facts, written, cut, reading.fill, others)


def texts_in(model: Model, given: Any) -> list[Any] | None:
    """Return the texts of a list, or of an array of more than one, where the model eats text; None for anything else.

    Raises:
        InputError: the list is empty.
    """
    if isinstance(given, np.ndarray) and given.dtype.kind in "OU" and given.size > 1:
        given = given.ravel().tolist()
    if not isinstance(given, list) or not eats_text(model) or not all(isinstance(item, str | tuple) for item in given):
        return None
    if not given:
        raise InputError("the list of texts is empty; expected at least one")
    return [Text(item) if isinstance(item, str) else item for item in given]


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def lines_of(path: Path) -> list[str]:
    """Read a .txt file: one text a line; empty lines are left out.

    Raises:
        InputError: it cannot be read, is larger than 64 MB, or holds nothing.
    """
    try:
        if path.stat().st_size > 64 * LONGEST:
            raise InputError(f"{path}: larger than 64 MB; give fewer texts at once")
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: cannot be read as texts, one a line: {reason}") from error
    kept = [line for line in lines if line]
    if not kept:
        raise InputError(f"{path}: holds no text; expected one a line")
    return kept


def _text_inputs(model: Model) -> set[str]:
    declared = model.declared.get("text", {}).get("input")
    return {declared} if declared else {tensor.name for tensor in model.inputs if tensor.is_text or tensor.is_integer}


def _is_file_or_string(given: Any) -> bool:
    return isinstance(given, str | os.PathLike) and Path(given).suffix != ".npy"


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and all(isinstance(item, str) for item in given)


def _other(model: Model, name: str, value: Any) -> Array:
    """Read what goes to another input: an array, a .npy file, or a number for all of its entries."""
    if isinstance(value, str | os.PathLike) and Path(value).suffix == ".npy":
        return read_array(Path(value))
    tensor = next(tensor for tensor in model.inputs if tensor.name == name)
    try:
        found: Array = np.asarray(float(value) if isinstance(value, str) else value)
    except ValueError:
        raise InputError(f"input {tensor}: got {str(value)[:40]!r}; expected a number or a .npy file") from None
    return np.full(complete(model, {})[0][name].shape, found) if found.ndim == 0 else found


def _check_reading(reading: "Reading", facts: TextFacts) -> None:
    if reading.background is not None:
        raise UsageError("--background goes with a table; give a .csv or .parquet file, or drop it")
    if reading.source is not None and reading.source != facts.input:
        raise UsageError(f"--source {reading.source}: a text is explained at the input it goes to, {facts.input!r}")
    if reading.features is not None and not isinstance(reading.features, str):
        raise UsageError(f"the features of a text are {', '.join(CUTS)}; a label map is of a picture")
    if reading.features is not None and reading.features not in CUTS:
        raise unknown("features", reading.features, CUTS, f"a text has {', '.join(CUTS)}")
    if reading.fill is not None and reading.fill not in FILLS:
        raise unknown("fill", reading.fill, FILLS, f"a word that is off is {', '.join(FILLS)}")


def _written(given: Any, facts: TextFacts, row: int | None) -> Written:
    """Bring whatever is given to one text or two, and check them."""
    if isinstance(given, np.ndarray):
        if given.size != 1:
            raise InputError(f"got an array of {given.size} texts; an explanation is of one, give x[:1]")
        given = given.ravel()[0]
    if row is not None and (_is_pair(given) or isinstance(given, Text)):
        raise UsageError(f"--row {row} goes with a file of rows or of texts; drop it")
    if _is_pair(given):
        parts = given
    else:
        text = str(given) if isinstance(given, Text) else _from_file(given, row)
        parts = tuple(text.split("\t", 1)) if facts.pair else (text,)
    for part in parts:
        _check_text(part)
    if len(parts) == 2 and facts.kind == "strings":
        raise InputError("this model reads one text; a pair of them goes to models with a tokenizer.json")
    second = len(parts[0]) + 1
    return Written("\n".join(parts), tuple(parts), (0, second)[: len(parts)])


def _from_file(given: Any, row: int | None) -> str:
    """Read the line of a file; what names no file is a text itself."""
    path = Path(given)
    is_name = isinstance(given, os.PathLike) or (path.suffix == ".txt" and len(given.split()) == 1)
    if not is_name and not is_file(path):
        return str(given)
    if path.suffix != ".txt":
        raise InputError(f"{path}: this model takes text; give it with --text, or as a .txt file with one text a line")
    lines = lines_of(path)
    if row is None and len(lines) > 1:
        raise InputError(f"{path}: holds {len(lines)} texts; choose one with --row N, from 0, or give them as a list")
    if not 0 <= (row or 0) < len(lines):
        raise InputError(f"{path}: --row {row}: expected 0 to {len(lines) - 1}")
    return lines[row or 0]


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise InputError(f"got a {type(text).__name__}; expected a text")
    if len(text) > LONGEST:
        raise InputError(f"the text has {len(text)} characters; expected at most {LONGEST}: explain parts of it")
    if not text.strip():
        raise InputError("the text is empty; expected at least one word")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError("the text holds characters that are none (NUL, or halves of pairs); save it as UTF-8")

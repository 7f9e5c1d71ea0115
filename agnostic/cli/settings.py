"""What stands behind the model on the line: inputs, NAME=VALUE inputs, and the options of methods and recipes."""

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from agnostic.errors import UsageError, unknown
from agnostic.inputs.sample import Text
from agnostic.methods import Method
from agnostic.methods.registry import Option


@dataclass(frozen=True)
class Tokens:
    """The line, understood.

    Attributes:
        inputs: what to explain, by the name to call it.
        methods: each method with the settings given for it.
    """

    inputs: Mapping[str, Any]
    methods: Sequence[tuple[Method, dict[str, Any]]]


def split_tokens(tokens: Sequence[str], methods: Sequence[Method], texts: Sequence[str] = ()) -> Tokens:
    """Tell inputs from the methods' own options, and read these by their types.

    Raises:
        UsageError: an option that none of the methods has, a value of the wrong type, or no input.
    """
    if not methods:
        raise UsageError("--method is empty; `agnostic methods` lists them")
    options = [option for method in methods for option in method.options]
    plain, values = split_options(tokens, options, "`agnostic explain --help` and `agnostic methods METHOD` list them")
    own = [(method, {k: v for k, v in values.items() if k in {o.name for o in method.options}}) for method in methods]
    return Tokens(_inputs(plain, texts), own)


def split_options(tokens: Sequence[str], options: Sequence[Option], where: str) -> tuple[list[str], dict[str, Any]]:
    """Tell plain words from options, and read these by their types.

    Args:
        tokens: what stands on the line.
        options: those there are.
        where: says where they are listed.

    Raises:
        UsageError: an option that is none of these, or a value of the wrong type.
    """
    known = {option.name: option for option in options}
    plain: list[str] = []
    values: dict[str, Any] = {}
    remaining = iter(tokens)
    for token in remaining:
        if token.startswith("-") and not _is_number(token) and token != "-":
            name, value = _option(token, remaining, known, where)
            values[name] = value
        else:
            plain.append(token)
    return plain, values


def _option(token: str, remaining: Iterator[str], options: Mapping[str, Option], where: str) -> tuple[str, Any]:
    written, equals, value = token.lstrip("-").partition("=")
    name = written.replace("-", "_")
    if name.startswith("no_") and (option := options.get(name[3:])) and option.annotation is bool:
        return name[3:], False
    if name not in options:
        flags = [f"--{known.replace('_', '-')}" for known in options]
        raise unknown("option", token.partition("=")[0], flags, where)
    option = options[name]
    if option.annotation is bool and not equals:
        return name, True
    text = value if equals else next(remaining, None)
    if text is None:
        raise UsageError(f"{token} needs a value")
    return name, coerce(text, option)


def coerce(text: str, option: Option) -> Any:
    """Read a value by its option's type.

    >>> coerce("3,4", Option("window", 0, tuple[int, ...] | int, ""))
    (3, 4)
    """
    for kind in _kinds(option.annotation):
        try:
            return _read(text, kind)
        except ValueError:
            continue
    expected = " or ".join(_kind_name(kind) for kind in _kinds(option.annotation))
    raise UsageError(f"--{option.name.replace('_', '-')} {text!r}: expected {expected}")


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for part in get_args(annotation) for kind in _kinds(part)]
    return [annotation]


def _read(text: str, kind: Any) -> Any:
    if kind is type(None):
        if text.lower() != "none":
            raise ValueError(text)
        return None
    if kind is bool:
        return _read_bool(text)
    if get_origin(kind) is tuple:
        return tuple(get_args(kind)[0](item) for item in text.split(","))
    if get_origin(kind) is Mapping:
        return _file_name(text)
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(text)
        return text
    return kind(text)


def _file_name(text: str) -> str:
    """A mapping is too long for a line: it is given as the file that holds it, which `api` reads."""
    if text.lower() == "none":
        raise ValueError(text)
    return text


def _read_bool(text: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _kind_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "numbers with commas between them"
    if get_origin(kind) is Mapping:
        return "a file"
    return {int: "a whole number", float: "a number", bool: "true or false", type(None): "none"}.get(kind, "text")


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _inputs(tokens: Sequence[str], texts: Sequence[str]) -> dict[str, Any]:
    """Group the inputs: each plain one and each text is a sample, NAME=VALUE ones go with every sample."""
    named: dict[str, str] = {}
    plain: list[str] = []
    for token in tokens:
        name, equals, value = token.partition("=")
        if equals and name and not Path(token).exists():
            named[name] = value
        else:
            plain.append(token)
    if not plain and not named and not texts:
        raise UsageError("no input was given; expected a file, --text TEXT, or NAME=VALUE")
    given: dict[str, Any] = {**{token: token for token in plain}, **{text: Text(text) for text in texts}}
    if not given:
        return {next((value for value in named.values() if Path(value).is_file()), "input"): named}
    return {name: {"": value, **named} if named else value for name, value in given.items()}

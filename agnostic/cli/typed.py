"""The command line as it was typed, for pages that offer it again with something added."""

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

_words: ContextVar[tuple[str, ...]] = ContextVar("words", default=())


def remember(words: Sequence[str]) -> None:
    """Note what stands behind `agnostic`."""
    _words.set(tuple(words))


def typed() -> str:
    """Give the line, quoted for a shell.

    >>> remember(["training", "dynamics", "my run"])
    >>> typed()
    "agnostic training dynamics 'my run'"
    """
    return shlex.join(["agnostic", *_words.get()])

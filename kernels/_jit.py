"""Compile a loop with Numba, and keep the compiled code only where nobody else can write.

Numba's disk cache is made of pickles: whoever can write the folder can run code as the user who reads it. So a folder
named by ``NUMBA_CACHE_DIR`` is used only when its owner alone can write it, and an installation without any writable
cache compiles anew in each process instead of failing.
"""

import os
import stat
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Loop = TypeVar("Loop", bound=Callable[..., Any])

# Numba fills its settings from the environment at import, out of a type checker's sight.
settings: Any = numba.config


def jit(loop: Loop) -> Loop:
    """Compile `loop` to machine code that runs without the interpreter lock and divides as NumPy does.

    >>> @jit
    ... def total(values):
    ...     result = 0.0
    ...     for value in values:
    ...         result += value
    ...     return result
    >>> import numpy as np
    >>> total(np.arange(4.0))
    6.0
    """
    # A cached loop remembers its module's name: the same file imported under another one would spoil the cache.
    if loop.__module__.startswith("agnostic.") and _cache_is_safe():
        try:
            return _compile(loop, cached=True)
        except RuntimeError:  # Numba found no writable place for its cache
            pass
    return _compile(loop, cached=False)


def _compile(loop: Loop, *, cached: bool) -> Loop:
    return cast(Loop, numba.njit(nogil=True, error_model="numpy", cache=cached)(loop))


@cache
def _cache_is_safe() -> bool:
    """Whether the folder of ``NUMBA_CACHE_DIR``, where one is named, is ours alone; warn once where it is not."""
    named = settings.CACHE_DIR
    if not named or os.name != "posix":
        return True
    try:
        # Numba would create the folder with the user's umask.
        Path(named).mkdir(mode=0o700, parents=True, exist_ok=True)
        safe = _only_owner_writes(Path(named).stat())
    except OSError:
        return False
    if not safe:
        warnings.warn(
            f"NUMBA_CACHE_DIR={named} can be written by other users, so compiled code is not cached there and each "
            "start is slower; chmod 700 it, or unset NUMBA_CACHE_DIR",
            RuntimeWarning,
            stacklevel=3,
        )
    return safe


def _only_owner_writes(status: os.stat_result) -> bool:
    shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return not shared and status.st_uid in (0, os.getuid())

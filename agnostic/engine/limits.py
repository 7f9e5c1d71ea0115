"""Bounds on what a run may take: a deadline that reaches into onnxruntime, and a cap on the process's memory.

The deadline in force belongs to the calling context (`contextvars`), so nothing has to hand it down.
"""

import contextvars
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agnostic.errors import LimitError, UsageError

_deadline: contextvars.ContextVar["Deadline | None"] = contextvars.ContextVar("deadline", default=None)


class Deadline:
    """A moment by which the work has to be done."""

    def __init__(self, seconds: float) -> None:
        """Set the deadline `seconds` from now."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, negative once the deadline has passed."""
        return self._end - time.monotonic()

    def error(self) -> LimitError:
        """Say that the time is up."""
        return LimitError(f"stopped after {self.seconds:g} s: the time limit was hit; give more with --timeout SECONDS")

    def check(self) -> None:
        """Raise a LimitError when the deadline has passed."""
        if self.remaining <= 0:
            raise self.error()


def current() -> Deadline | None:
    """The deadline in force in this context, if any."""
    return _deadline.get()


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Bound everything inside the block to `seconds` of wall-clock time; None sets no bound.

    Raises:
        UsageError: the bound is not above zero.
    """
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--timeout {seconds:g}: expected a number of seconds above 0")
    if seconds is None or seconds > threading.TIMEOUT_MAX:
        yield
        return
    token = _deadline.set(Deadline(seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def alarm(stop: Callable[[], None]) -> Iterator[Deadline | None]:
    """Call `stop` from another thread if the deadline passes while the block runs."""
    deadline = current()
    if deadline is None:
        yield None
        return
    deadline.check()
    timer = threading.Timer(deadline.remaining, stop)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    finally:
        timer.cancel()


@contextmanager
def memory_limit(extra_bytes: int | None = None) -> Iterator[None]:
    """Let the process's address space grow by at most `extra_bytes` inside the block (the machine's memory by default).

    An allocation beyond it fails and is reported as a LimitError, instead of bringing the machine down.
    Linux only; elsewhere the block runs unbounded, and the loader's own caps remain.
    """
    if sys.platform != "linux":
        yield
        return
    import os
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = used + (total if extra_bytes is None else extra_bytes)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    bounds = [bound for bound in (limit, soft, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(bounds), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))

"""Lanes: threads that each take a batch the whole way, from its files to what is kept of it.

Reading, running and reducing a batch on one thread each, several batches at a time, keeps every core busy without
anybody waiting: where one pass is spread over all cores, its parts wait for the slowest, and for whatever reads the
next pictures beside it.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
# Each lane holds what the layers hold on a batch, so there are never many.
MOST = 8


class Lanes:
    """A pool of threads that work in the context of whoever asks, so that a time limit holds in them too."""

    def __init__(self, pool: ThreadPoolExecutor, count: int) -> None:
        """Take a pool of so many threads; `lanes` makes one."""
        self._pool = pool
        self.count = count

    @property
    def threads(self) -> int:
        """Threads of the processor that each lane may use to run a model."""
        return max(1, cores() // self.count)

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Do the same work on each item, and give the results in the order of the items."""
        waiting = [self._pool.submit(copy_context().run, work, item) for item in items]
        try:
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def lanes() -> Iterator[Lanes]:
    """Start the threads, and end them."""
    count = min(MOST, cores())
    # Reading a picture mutes Pillow's warnings, which several threads at once would leave muted for good.
    with warnings.catch_warnings():
        pool = ThreadPoolExecutor(count, thread_name_prefix="agnostic-lane")
        try:
            yield Lanes(pool, count)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

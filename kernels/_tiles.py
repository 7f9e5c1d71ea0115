"""Run a compiled loop over several threads, one contiguous tile of its outermost axis each.

Numba's own ``parallel=True`` is not used, because its thread pools can end the process: the work queue aborts when two
Python threads enter it at once, OpenMP aborts in a forked child, and OpenMP's spinning workers slow onnxruntime down.
Here the threads are Python's, the loops release the interpreter lock, and idle threads sleep. A tile writes only its
own part of the result and sums in a fixed order, so results do not depend on the number of threads.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise

from agnostic.kernels._jit import settings

# Elements a thread must get before waking it (tens of microseconds) pays.
GRAIN = 1 << 15


def in_tiles(loop: Callable[..., None], count: int, *args: object, work: int) -> None:
    """Call ``loop(start, stop, *args)`` on tiles that together make up ``range(count)``.

    Args:
        loop: compiled code that writes to its arguments, for `start` <= index < `stop` only.
        count: the length of the axis that is cut.
        args: handed on as they are.
        work: elements touched in all; little work stays on the calling thread.

    >>> import numpy as np
    >>> squares = np.zeros(5)
    >>> def loop(start, stop, out):
    ...     out[start:stop] = np.arange(start, stop) ** 2
    >>> in_tiles(loop, 5, squares, work=5)
    >>> squares
    array([ 0.,  1.,  4.,  9., 16.])
    """
    tiles = max(1, min(settings.NUMBA_NUM_THREADS, count, work // GRAIN))
    edges = [count * tile // tiles for tile in range(tiles + 1)]
    others = [_pool().submit(loop, start, stop, *args) for start, stop in pairwise(edges[1:])]
    try:
        loop(edges[0], edges[1], *args)
    finally:
        # Even when interrupted, nobody may go on writing to the caller's arrays.
        wait(others)
    for other in others:
        other.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, settings.NUMBA_NUM_THREADS - 1), thread_name_prefix="agnostic-kernel")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked child has none of its parent's threads

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agnostic.kernels._tiles import GRAIN, in_tiles
from agnostic.kernels.superpixels import slic

HASH = """
import hashlib, sys, threading
import numpy as np
from agnostic.kernels import accumulate, compose, mix, occlude, segment_means, slic, upsample_normalise
from agnostic.kernels import draw_cells, render
rng = np.random.default_rng(0)
digest = hashlib.sha256()
def note(array):
    digest.update(np.ascontiguousarray(array).tobytes())
picture = rng.integers(0, 255, (131, 117, 3), np.uint8)
labels = slic(picture, 70)
note(labels)
x = rng.normal(size=(3, 131, 117)).astype(np.float32)
note(segment_means(x, labels))
out = np.empty((17, *x.shape), np.float32)
compose(x, x * 0, labels, rng.random((17, labels.max() + 1)) < 0.5, out)
note(out)
masks = render(*draw_cells(17, 7, 0.5, 3), labels.shape)
note(masks)
mix(x, x * 0, masks, out)
note(out)
total = np.zeros((2, *labels.shape))
accumulate(masks, rng.normal(size=(17, 2)), total)
note(total)
occlude(x, x * 0, np.array([[[3, 90], [5, 60]]] * 17), out)
note(out)
note(upsample_normalise(rng.normal(size=(17, 7, 7)).astype(np.float32), labels.shape))
print(digest.hexdigest(), threading.active_count())
"""


def test_tiles_cover_every_index_once() -> None:
    for count in (1, 2, 3, 7, 100):
        seen = np.zeros(count, np.int64)

        def loop(start: int, stop: int, seen: np.ndarray) -> None:
            seen[start:stop] += 1

        in_tiles(loop, count, seen, work=GRAIN * 1000)
        np.testing.assert_array_equal(seen, 1)


def test_nothing_to_do_is_done_without_threads() -> None:
    spans: list[tuple[int, int]] = []
    in_tiles(lambda start, stop: spans.append((start, stop)), 0, work=0)
    assert spans == [(0, 0)]


def test_an_error_in_any_tile_reaches_the_caller() -> None:
    def loop(start: int, stop: int) -> None:
        if stop == 10:
            raise KeyError("last tile")

    with pytest.raises(KeyError, match="last tile"):
        in_tiles(loop, 10, work=GRAIN * 1000)


def test_results_and_thread_counts_for_one_two_and_five_threads() -> None:
    def outcome(threads: int) -> list[str]:
        environment = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
        done = subprocess.run([sys.executable, "-c", HASH], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    outcomes = [outcome(threads) for threads in (1, 2, 5)]
    assert len({digest for digest, _ in outcomes}) == 1
    assert [int(alive) for _, alive in outcomes] == [1, 2, 5]


def test_kernels_called_from_many_python_threads_at_once() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (24, 90, 110, 3), np.uint8)
    alone = [slic(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(slic, pictures))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_gets_threads_of_its_own() -> None:
    code = """
import os
import numpy as np
from agnostic.kernels import slic
picture = np.arange(200 * 200 * 3).reshape(200, 200, 3).astype(np.uint8)
before = slic(picture)
child = os.fork()
if child == 0:
    os._exit(0 if (slic(picture) == before).all() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True, timeout=60)

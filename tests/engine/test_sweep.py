from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agnostic.engine.limits import time_limit
from agnostic.engine.model import Model
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.engine.sweep import Block, Perturbation, sweep, usual_batch
from agnostic.errors import ItemError, LimitError

WEIGHTS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
X = {"x": np.ones((1, 4), np.float32)}
COUNT = 21


def write(start: int, stop: int, out: np.ndarray) -> None:
    """Number i is filled with i, i + 1, ..."""
    out[:] = np.arange(start, stop)[:, None] + np.arange(4)


EXPECTED = (np.arange(COUNT)[:, None] + np.arange(4)) @ WEIGHTS.astype(np.float64)


@pytest.fixture(scope="module")
def model(linear: Callable[..., Model]) -> Model:
    return linear(WEIGHTS)


def over(count: int, write: Callable[[int, int, np.ndarray], None], name: str = "x") -> Perturbation:
    """Perturbations of one input."""
    return Perturbation(count, lambda start, stop, rows: write(start, stop, rows[name]), {name: np.float32})


def run(model: Model, *, count: int = COUNT, targets: tuple[int, ...] = (0, 2), **options: Any) -> list[Block]:
    resolved = [model.target(index) for index in targets]
    return list(sweep(model, X, over(count, write), resolved, **options))


def joined(blocks: list[Block]) -> np.ndarray:
    assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
    return np.concatenate([block.scores for block in blocks])


@pytest.mark.parametrize("batch_size", [None, 1, 4, 7, 21, 100])
def test_scores_come_in_order_whatever_the_batch(model: Model, batch_size: int | None) -> None:
    blocks = run(model, batch_size=batch_size)
    assert np.allclose(joined(blocks), EXPECTED[:, [0, 2]], rtol=1e-5, atol=1e-5)
    assert max(block.stop - block.start for block in blocks) == min(batch_size or usual_batch(X, X), COUNT)


def test_one_buffer_is_written_again_and_again(model: Model) -> None:
    seen: list[np.ndarray] = []

    def noting(start: int, stop: int, out: np.ndarray) -> None:
        seen.append(out)
        write(start, stop, out)

    list(sweep(model, X, over(COUNT, noting), [model.target(0)], batch_size=8))
    assert [len(out) for out in seen] == [8, 8, 5]
    assert len({out.__array_interface__["data"][0] for out in seen}) == 1


@pytest.mark.parametrize("fits", [5, 2, 1])
def test_a_batch_too_large_for_memory_is_halved_and_nothing_is_lost(
    model: Model, monkeypatch: pytest.MonkeyPatch, fits: int
) -> None:
    real, sizes = model.score_feeds, []

    def scarce(x: Any, targets: Any) -> Any:
        sizes.append(len(x["x"]))
        if sizes[-1] > fits:
            raise OutOfMemoryError("no memory")
        return real(x, targets)

    monkeypatch.setattr(model, "score_feeds", scarce)
    found = joined(run(model, batch_size=8))
    monkeypatch.undo()
    assert np.allclose(found, joined(run(model)), atol=1e-6)
    failures = {5: [8], 2: [8, 4], 1: [8, 4, 2]}[fits]
    assert sizes[: len(failures)] == failures
    assert all(size <= fits for size in sizes[len(failures) :]), "halved for good"


def test_a_single_row_that_does_not_fit_is_a_limit(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise OutOfMemoryError("no memory")

    monkeypatch.setattr(model, "score_feeds", never)
    with pytest.raises(LimitError, match="no memory"):
        run(model)


def test_progress_is_told_after_each_batch(model: Model) -> None:
    told: list[tuple[int, int]] = []
    run(model, batch_size=8, progress=lambda done, count: told.append((done, count)))
    assert told == [(8, 21), (16, 21), (21, 21)]


def test_an_answer_that_is_no_number_stops_the_sweep(opened: Callable[..., Model]) -> None:
    model = opened("g (float[n,4] x) => (float[n,4] y) { y = Log(x) }")
    with pytest.raises(ItemError, match="answer for 'class 0' is infinite on this input"):
        list(sweep(model, X, over(3, write), [model.target(0)]))
    with pytest.raises(ItemError, match="answer for 'class 1' is NaN on this input"):
        minus = over(3, lambda start, stop, out: out.fill(-1))
        list(sweep(model, X, minus, [model.target(1)]))


def test_an_answer_that_never_moves_is_reported_with_its_name(linear: Callable[..., Model]) -> None:
    model = linear(WEIGHTS * [1, 0, 1])
    with pytest.raises(ItemError, match="answer for 'class 1' is 0 whatever is changed in the input"):
        run(model, targets=(0, 1))
    assert len(run(model, targets=(1,), count=1)) == 1, "one perturbation proves nothing"


def test_time_that_is_up_stops_between_batches(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    with time_limit(1000), pytest.raises(LimitError, match="stopped after 1000 s"):
        for block in sweep(model, X, over(COUNT, write), [model.target(0)], batch_size=8):
            ran.append(block.stop)
            monkeypatch.setattr("agnostic.engine.limits.time.monotonic", lambda: float("inf"))
    assert ran == [8]


def test_other_inputs_are_repeated_and_those_without_a_batch_axis_are_not(opened: Callable[..., Model]) -> None:
    model = opened(
        "g (float[n,4] x, float[n,4] more, float[4] scale) => (float[n,4] y) { z = Add(x, more)\n y = Mul(z, scale) }"
    )
    arrays = {
        **X,
        "more": np.array([[1, 2, 3, 4]], np.float32),
        "scale": np.array([2, 3, 4, 5], np.float32),
    }
    blocks = list(sweep(model, arrays, over(COUNT, write), [model.target(2)]))
    assert np.allclose(joined(blocks)[:, 0], (np.arange(COUNT) + 2 + 3) * 4)
    blocks = list(sweep(model, arrays, over(COUNT, write, "more"), [model.target(2)]))
    assert np.allclose(joined(blocks)[:, 0], (np.arange(COUNT) + 2 + 1) * 4)


def test_whole_numbers_are_written_as_the_input_eats_them(opened: Callable[..., Model]) -> None:
    model = opened("g (uint8[n,4] x) => (float[n,4] y) { y = Cast<to=1>(x) }")

    def halves(start: int, stop: int, out: np.ndarray) -> None:
        out[:] = (np.arange(start, stop) * 100.4)[:, None]

    arrays = {"x": np.zeros((1, 4), np.uint8)}
    blocks = list(sweep(model, arrays, over(4, halves), [model.target(0)]))
    assert joined(blocks)[:, 0].tolist() == [0, 100, 201, 255]

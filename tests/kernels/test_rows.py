import numpy as np
import pytest

from agnostic.kernels.rows import switch


@pytest.mark.parametrize("count", [1, 7, 3000])
def test_it_is_plain_indexing(count: int, rng: np.random.Generator) -> None:
    x, others = rng.normal(size=12).astype(np.float32), rng.normal(size=(5, 12)).astype(np.float32)
    labels, keep = rng.integers(0, 5, 12).astype(np.int32), rng.random((count, 4)) < 0.5
    chosen, out = rng.integers(0, 5, count), np.empty((count, 12), np.float32)
    switch(x, others, labels, keep, chosen, out)
    on = np.concatenate([keep, np.ones((count, 1), bool)], axis=1)[:, labels]
    np.testing.assert_array_equal(out, np.where(on, x, others[chosen]))


def test_nan_is_a_value_like_any_other() -> None:
    out = np.empty((1, 2), np.float32)
    x, others = np.array([np.nan, 1], np.float32), np.array([[0, np.nan]], np.float32)
    switch(x, others, np.array([0, 1]), np.array([[True, False]]), np.array([0]), out)
    assert np.isnan(out).all()


@pytest.mark.parametrize(
    "change",
    [
        {"x": np.zeros(3)},
        {"others": np.zeros((2, 4), np.float32)},
        {"labels": np.array([0, 1, 3])},
        {"chosen": np.array([0, 2])},
        {"chosen": np.array([0, -1])},
        {"keep": np.ones((1, 2), bool)},
        {"out": np.empty((3, 2), np.float32).T},
        {"out": np.empty((2, 6), np.float32)[:, ::2]},
    ],
)
def test_what_would_read_outside_is_refused(change: dict[str, np.ndarray]) -> None:
    good = {
        "x": np.zeros(3, np.float32),
        "others": np.zeros((2, 3), np.float32),
        "labels": np.array([0, 1, 2]),
        "keep": np.ones((2, 2), bool),
        "chosen": np.array([0, 1]),
        "out": np.empty((2, 3), np.float32),
    }
    switch(**good)
    with pytest.raises(ValueError):
        switch(**{**good, **change})

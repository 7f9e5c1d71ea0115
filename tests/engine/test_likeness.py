"""Likeness in closed form, and its gradient by finite differences."""

from typing import Any

import numpy as np
import pytest

from agnostic.engine.autograd import Autograd
from agnostic.engine.likeness import Likeness, pooled
from agnostic.engine.target import Target

OWN = np.array([1.0, 2.0, -2.0])


def test_the_cosine_and_the_distance() -> None:
    values = {"e": np.array([[1, 2, -2], [-2, -4, 4], [2, 1, 2], [0, 0, 0]], np.float32)}
    assert Likeness("e", OWN, "like:a").read(values) == pytest.approx([1, -1, 0, 0], abs=1e-9)
    away = Likeness("e", OWN, "like:a", "euclidean").read(values)
    assert away == pytest.approx([0, -9, -np.sqrt(1 + 1 + 16), -3], abs=1e-9)
    assert (2 * Target((Likeness("e", OWN, "like:a"),), "like:a")).read(values)[0] == pytest.approx(2)


def test_tokens_are_pooled() -> None:
    tokens = np.arange(24.0).reshape(2, 3, 4)
    assert pooled(tokens, "mean").tolist() == tokens.mean(axis=1).tolist()
    assert pooled(tokens, "first").tolist() == tokens[:, 0].tolist()
    assert pooled(tokens, "none").shape == (2, 12)
    maps = np.arange(24.0).reshape(2, 3, 2, 2)
    assert pooled(maps, "mean", (2, 3)).tolist() == maps.mean(axis=(2, 3)).tolist()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("pooling", ["none", "mean", "first"])
def test_its_gradient(graph: Any, rng: np.random.Generator, distance: Any, pooling: Any) -> None:
    proto = graph("g (float[n,2,3] x) => (float[n,2,3] e) { e = Tanh(x) }")
    x = rng.normal(size=(2, 2, 3)).astype(np.float32)
    own = rng.normal(size=6 if pooling == "none" else 3)
    target = Target((Likeness("e", own, "like:a", distance, pooling),), "like:a")
    found = Autograd(proto, double=True).gradients({"x": x}, [target], ["x"]).gradients["x"][0]

    def score(x: np.ndarray) -> np.ndarray:
        return target.read({"e": np.tanh(x)})

    for at in np.ndindex(2, 3):
        step = np.zeros((1, 2, 3))
        step[0][at] = 1e-5
        slope = (score(x + step) - score(x - step)) / 2e-5
        np.testing.assert_allclose(found[(slice(None), *at)], slope, atol=1e-5)


def test_the_gradient_at_the_reference_itself_is_a_number(graph: Any) -> None:
    proto = graph("g (float[n,3] x) => (float[n,3] e) { e = Identity(x) }")
    for distance in ("cosine", "euclidean"):
        target = Target((Likeness("e", OWN, "like:a", distance),), "like:a")  # type: ignore[arg-type]
        found = Autograd(proto).gradients({"x": OWN[None].astype(np.float32)}, [target], ["x"])
        assert np.abs(found.gradients["x"]).max() < 1e-6

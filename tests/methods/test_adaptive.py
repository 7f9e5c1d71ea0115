"""Integrated gradients with points where they are needed."""

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.methods import _adaptive

X = np.linspace(-1, 2, 6, dtype=np.float32)


@pytest.fixture
def found(explain):
    return lambda model, x, targets=(0,), **more: explain("integrated_gradients", model, x, targets, **more)


@pytest.fixture(scope="module")
def kinked(opened):
    """Score 0 is max(2 x0 + 4 x1 - 1, 0), score 1 is x0 - x1."""
    text = """
        g (float[n,2] x) => (float[n,2] y) {
            r = MatMul(x, w) s = Sub(r, one) z = Relu(s) d = MatMul(x, v) y = Concat <axis = 1> (z, d)
        }"""
    weights = {"w": [[2], [4]], "v": [[1], [-1]], "one": [1]}
    return opened(text, {name: np.array(value, np.float32) for name, value in weights.items()})


def errors(found):
    return np.array([fact["completeness_error"] for fact in found.facts])


def rises(found):
    return found.detail.reshape(len(found.detail), -1).sum(axis=1, dtype=np.float64)


def test_of_a_linear_model_it_ends_at_once(linear, found, rng):
    model = linear(rng.normal(size=(6, 2)))
    for steps in (1, 7):
        before = model.evaluations
        facts = found(model, X, (0, 1), steps=steps, tolerance=1e-5).facts
        assert [fact["points"] for fact in facts] == [steps + 1] * 2
        assert model.evaluations - before == steps + 1 + 1  # one more proves parity


def test_points_gather_around_a_kink(kinked, found, monkeypatch):
    places, between = [], _adaptive.between
    monkeypatch.setattr(_adaptive, "between", lambda *line: places.append(line[-1]) or between(*line))
    x = np.array([0.5, 0.5], np.float32)  # the kink is at a third of the way, behind it the score rises by 2
    out = found(kinked, x, (0, 1), steps=4, tolerance=1e-4)
    np.testing.assert_allclose(out.values, [[2 / 3, 4 / 3], [0.5, -0.5]], atol=2e-4)
    assert (errors(out) <= 2e-4).all()
    assert len(places) == out.facts[0]["points"] < 5 + 14
    np.testing.assert_allclose(places[5:], 1 / 3, atol=0.1)
    assert sorted(places[:5]) == [0, 1 / 4, 1 / 2, 3 / 4, 1]


@pytest.mark.parametrize(("held", "near"), [(2**27, 1e-3), (0, 5e-3)])
def test_it_is_what_a_dense_sum_finds(perceptron, found, monkeypatch, held, near):
    monkeypatch.setattr(_adaptive, "_HELD", held)
    kinds = ("fill", "noise", "noise")
    out = found(perceptron, X, (0, 1), steps=20, tolerance=1e-5, baselines=kinds)
    dense = found(
        perceptron, X, (0, 1), steps=8000, quadrature="riemann", baselines=kinds, task={"batch_size": 500}
    )  # fmt: skip
    np.testing.assert_allclose(out.values, dense.values, atol=near * np.abs(dense.values).max())
    np.testing.assert_allclose(out.base_values, dense.base_values, rtol=1e-5)
    assert 61 < out.facts[0]["points"] <= 1000
    if held:
        assert (errors(out) < 2e-5 * np.abs(rises(dense))).all()


def test_gradients_are_held_no_longer_than_there_is_room(perceptron, found, monkeypatch):
    measured, counts = _adaptive._Mesh._measured, []

    def counted(self, places):
        counts.append(len(self._held) + len(places))
        return measured(self, places)

    monkeypatch.setattr(_adaptive._Mesh, "_measured", counted)
    monkeypatch.setattr(_adaptive, "_HELD", 20 * 2 * X.nbytes)
    found(perceptron, X, (0, 1), steps=100, tolerance=1e-6, most=300)
    assert len(counts) > 12
    assert max(counts[:12]) <= 20 + 2 + 10  # half the room is filled at a time, and a line begins with its ends
    assert max(counts) <= 20 + 300 // 8


def test_a_batch_of_any_size_gives_the_same_points(kinked, found):
    # Its numbers are sums of few powers of two, so no batch rounds them otherwise.
    x = np.array([0.5, 0.5], np.float32)
    one, other = (found(kinked, x, steps=4, tolerance=1e-4, task={"batch_size": size}) for size in (1, 7))
    assert one.facts[0]["points"] == other.facts[0]["points"] > 5
    np.testing.assert_array_equal(one.values, other.values)


def test_a_batch_of_any_size_gives_values_as_complete(perceptron, found):
    # Products of matrices round by batch, and rounding may decide where one more point goes: never by more than the
    # tolerance.
    one, other = (found(perceptron, X, (0, 1), tolerance=1e-4, task={"batch_size": size}) for size in (1, 7))
    rises = np.abs(one.values.sum(axis=1))
    assert (np.abs(one.values - other.values).max(axis=1) < 2e-4 * rises).all()


def test_where_points_run_out_the_rest_is_told_and_spread_over_nothing(kinked, found):
    x = np.array([0.5, 0.5], np.float32)
    out = found(kinked, x, steps=4, tolerance=1e-6, most=6)
    assert out.facts[0]["points"] == 6
    # The one further point, 3/8, lies behind the kink: it weighs 1/8, the next one 3/16, and then come 1/4 and 1/8.
    np.testing.assert_allclose(out.values[0], np.array([1, 2]) * (1 / 8 + 3 / 16 + 1 / 4 + 1 / 8), rtol=1e-5)
    np.testing.assert_allclose(errors(out), abs(3 * 11 / 16 - 2), rtol=1e-4)
    assert found(kinked, x, steps=4, most=2).facts[0]["points"] == 5


def test_a_rise_of_nothing_is_no_reason_to_go_on_for_ever(opened, found):
    model = opened("g (float[n,1] x) => (float[n,1] y) { s = Sub(x, half) y = Abs(s) }", {"half": np.float32([0.5])})
    out = found(model, np.ones(1, np.float32), steps=3, most=400)
    assert out.facts[0]["points"] < 40
    np.testing.assert_allclose(out.values, 0, atol=1e-5)


def test_progress_counts_on(perceptron, found):
    told = []
    out = found(perceptron, X, tolerance=1e-5, task={"progress": lambda *step: told.append(step)})
    assert told[-1] == (out.facts[0]["points"],) * 2
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_on_squeezenet_it_is_complete_to_a_thousandth_at_the_input(squeezenet, found):
    out = found(squeezenet, "cat_and_coffee.png", ("Egyptian cat", "coffee mug"))
    assert (errors(out) <= 1e-3 * rises(out)).all()
    assert 51 < out.facts[0]["points"] < 500


def test_a_tolerance_of_nothing_is_refused(perceptron, found):
    with pytest.raises(UsageError, match="--tolerance 0"):
        found(perceptron, X, tolerance=0)

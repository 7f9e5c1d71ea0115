"""The gradient loop, and the proof that the re-import is the model."""

import numpy as np
import pytest

from agnostic.converters.torch_import import registry
from agnostic.engine import gradients
from agnostic.engine.gradients import Parity, Points, gradient_sweep, parity
from agnostic.engine.limits import time_limit
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.errors import ItemError, LimitError, ModelError

QUADRATIC = "g (float[n,3] x) => (float[n,2] y) { s = Mul(x, x) y = MatMul(s, w) }"
WEIGHTS = {"w": np.array([[1, 4], [2, 5], [3, 6]], np.float32)}


@pytest.fixture
def model(opened):
    return opened(QUADRATIC, WEIGHTS)


@pytest.fixture
def sweep(model):
    """Sweep over points 0, 1, 2, ... (i, i, i) and record in which batches they were asked for."""

    def run(count=7, tensor="x", at=("x",), batch_size=None, **more):
        asked, progress = [], []

        def write(start, stop, out):
            asked.append((start, stop))
            out[:] = np.arange(start, stop, dtype=np.float32)[:, None]

        arrays = {"x": np.full((1, 3), 9, np.float32)}
        blocks = list(
            gradient_sweep(
                model, arrays, Points(tensor, count, (3,), write), (model.target(0), model.target(1)), at,
                batch_size=batch_size, progress=lambda *step: progress.append(step), **more,
            )
        )  # fmt: skip
        return blocks, asked, progress

    return run


@pytest.mark.parametrize("batch_size", [1, 3, 100, None])
def test_every_point_is_differentiated_once_whatever_the_batch(sweep, batch_size):
    blocks, _, progress = sweep(batch_size=batch_size)
    found = np.concatenate([block.found.gradients["x"] for block in blocks], axis=1)
    points = np.arange(7)[:, None]
    np.testing.assert_allclose(found, [2 * points * WEIGHTS["w"][:, target] for target in (0, 1)])
    np.testing.assert_allclose(np.concatenate([b.found.scores for b in blocks]), np.arange(7)[:, None] ** 2 * [6, 15])
    assert [block.start for block in blocks] == [0, *(block.stop for block in blocks[:-1])]
    assert progress[-1] == (7, 7)


def test_points_may_be_values_of_a_layer(sweep):
    blocks, _, _ = sweep(tensor="s", at=("s",))
    np.testing.assert_allclose(blocks[0].found.scores[1], [6, 15])
    np.testing.assert_allclose(blocks[0].found.gradients["s"][1, 0], WEIGHTS["w"][:, 1])


def test_pairs_are_never_torn_apart(sweep):
    blocks, asked, progress = sweep(count=10, batch_size=4, rule="rescale")
    assert asked == [(0, 2), (5, 7), (2, 4), (7, 9), (4, 5), (9, 10)]
    assert [(block.start, block.stop) for block in blocks] == [(0, 2), (2, 4), (4, 5)]
    # Between i and i + 5 the slope of x^2 is 2i + 5, for the sample and for its reference.
    np.testing.assert_allclose(blocks[1].found.gradients["x"][0, :, 0], [9, 11, 9, 11])
    assert progress[-1] == (10, 10)


def test_a_graph_of_one_row_cannot_hold_a_pair(opened):
    text = "g (float[1,2] x) => (float[1,2] y) { h = Reshape(x, to) r = ReduceSum(h, axes) s = Mul(x, r) y = Relu(s) }"
    fixed = opened(text, {"to": np.array([1, 1, 2]), "axes": np.array([0, 1])})
    if fixed.takes_batches:
        fixed.run(np.ones((2, 2), np.float32))
    points = Points("x", 2, (2,), lambda start, stop, out: out.fill(1))
    with pytest.raises(ModelError, match="fixed to one row"):
        list(
            gradient_sweep(fixed, {"x": np.ones((1, 2), np.float32)}, points, [fixed.target(0)], ["x"], rule="rescale")
        )


def test_a_batch_that_does_not_fit_is_halved_for_good(sweep, model, monkeypatch):
    whole, sizes = model.autograd.gradients, []

    def narrow(feeds, *more, **options):
        sizes.append(len(feeds["x"]))
        if len(feeds["x"]) > 2:
            raise OutOfMemoryError("the gradient needs more memory than there is")
        return whole(feeds, *more, **options)

    monkeypatch.setattr(model.autograd, "gradients", narrow)
    blocks, _, _ = sweep(batch_size=6)
    assert sizes == [6, 3, 2, 2, 2, 1]
    found = np.concatenate([block.found.gradients["x"] for block in blocks], axis=1)
    np.testing.assert_allclose(found[0, :, 0], 2 * np.arange(7))
    sizes.clear()
    rows = np.ones((5, 3), np.float32)
    np.testing.assert_allclose(model.gradient(rows, 0, batch_size=4), np.tile([[2, 4, 6]], (5, 1)))
    assert sizes == [4, 2, 2, 1]


def test_one_point_that_does_not_fit_is_a_limit(sweep, model, monkeypatch):
    def full(*_, **__):
        raise OutOfMemoryError("the gradient needs more memory than there is")

    monkeypatch.setattr(model.autograd, "gradients", full)
    with pytest.raises(LimitError):
        sweep()


def test_the_deadline_is_kept(sweep):
    with pytest.raises(LimitError), time_limit(1e-9):
        sweep()


def test_an_infinite_score_is_nothing_to_explain(opened):
    model = opened("g (float[n,1] x) => (float[n,1] y) { y = Log(x) }")
    points = Points("x", 1, (1,), lambda start, stop, out: out.fill(0))
    with pytest.raises(ItemError, match="infinite"):
        list(gradient_sweep(model, {"x": np.ones((1, 1), np.float32)}, points, [model.target(0)], ["x"]))


def test_rows_are_counted_as_evaluations(sweep, model):
    before = model.evaluations
    sweep(count=7)
    assert model.evaluations - before == 7


def test_parity_is_the_largest_difference_on_this_input(model):
    assert parity(model, np.ones((1, 3), np.float32)).largest < 1e-5


def _shifted(model, monkeypatch, by):
    whole = model.autograd.forward
    changed = lambda *given: {name: value + np.float32(by) for name, value in whole(*given).items()}  # noqa: E731
    monkeypatch.setattr(model.autograd, "forward", changed)


def test_a_graph_that_is_near_is_used_with_a_warning(model, monkeypatch):
    _shifted(model, monkeypatch, 0.015)  # of 15
    with pytest.warns(RuntimeWarning, match="near the model, not equal to it"):
        found = model.gradient(np.ones((1, 3), np.float32), 0)
    np.testing.assert_allclose(found, [[2, 4, 6]])


def test_another_graph_is_refused(model, opened, monkeypatch):
    _shifted(model, monkeypatch, 1)
    with pytest.raises(ModelError, match="not the same model") as refused:
        model.gradient(np.ones((1, 3), np.float32), 0)
    assert "--allow-parity" in str(refused.value)
    assert refused.value.exit_status == 3
    lenient = opened(QUADRATIC, WEIGHTS, allow_parity=True)
    _shifted(lenient, monkeypatch, 1)
    with pytest.warns(RuntimeWarning):
        np.testing.assert_allclose(lenient.gradient(np.ones((1, 3), np.float32), 0), [[2, 4, 6]])


@pytest.fixture
def leaking(opened, monkeypatch):
    """A ReLU whose re-import lets a little below zero through, which zeros do not show."""
    entry = registry.find("", "Relu")
    wrong = entry._replace(function=lambda x: entry.function(x) - 0.3 * entry.function(-x))
    monkeypatch.setitem(registry._OPERATORS, ("", "Relu"), wrong)
    return lambda **options: opened("g (float[n,8] x) => (float[n,8] y) { y = Relu(x) }", **options)


def test_a_random_input_shows_what_the_own_one_hides(leaking):
    model, x = leaking(), np.zeros((1, 8), np.float32)
    assert parity(model, x).largest == 0
    for _ in range(2):
        with pytest.raises(ModelError, match=r"not the same model: 'y' differs by .* on a random input"):
            model.gradient(x, 0)
    with pytest.warns(RuntimeWarning, match="on a random input: the re-imported graph is near"):
        leaking(allow_parity=True).gradient(x, 0)


def test_the_random_input_is_run_once_per_model_and_not_counted(model, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        gradients, "random_feeds", lambda *given: drawn.append(0) or {"x": np.array([[3, -1, 2]], np.float32)}
    )
    before, x = model.evaluations, np.ones((1, 3), np.float32)
    for _ in range(3):
        model.gradient(x, 0)
    assert len(drawn) == 1
    assert model.evaluations - before == 2 * 3  # a parity and a gradient each
    found = gradients.random_parity(model, x)
    assert found.largest < 1e-5
    assert found.scale == 9 * 4 + 1 * 5 + 4 * 6


@pytest.mark.parametrize(
    "text",
    [
        "g (int64[n,2] i, float[n,2] x) => (float[n,2] y) { f = Cast <to = 1> (i) y = Mul(f, x) }",
        "g (float[n,2] x) => (float[n,2] y) { m = Neg(x) r = Mul(m, x) y = Sqrt(r) }",
    ],
)
def test_a_model_that_no_random_input_suits_is_not_blamed(opened, text):
    model = opened(text)
    x = {item.name: np.zeros((1, 2), item.dtype) for item in model.inputs}
    drawn = gradients.random_parity(model, x)
    assert drawn is None if len(x) == 1 else drawn.largest == 0
    assert np.isfinite(model.parity(x).largest)


@pytest.mark.parametrize(
    ("expected", "got", "largest"),
    [([1, 2], [1, 2.5], 0.5), ([0, 0], [0, 0.25], 0.25), ([1, 2], [1, np.nan], np.inf), ([1, 2], [1], np.inf)],
)
def test_differences_of_any_kind_count(expected, got, largest):
    found = gradients._difference("y", np.array(expected, np.float32), np.array(got, np.float32))
    assert found.largest == largest


def test_parity_is_in_units_of_the_scale():
    assert Parity(0.5, 10, "y").relative == 0.05
    assert Parity(0.5, 0, "y").relative == 0.5

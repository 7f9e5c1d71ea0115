"""Influence against retraining without a sample, against closed forms, and solver against solver."""

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

import agnostic
from agnostic.engine.factors import factors, layouts
from agnostic.engine.model import Model
from agnostic.engine.parameters import Parameters
from agnostic.errors import InputError, ItemError, LimitError, ModelError, UsageError
from agnostic.training.data import arrays
from agnostic.training.influence import Query, influence, self_influence
from agnostic.training.tracin import self_tracin, similarity, tracin

CLASSES, L2 = 3, 0.01


class Logistic(NamedTuple):
    """A softmax regression at its minimum, its data, and queries."""

    weights: np.ndarray
    x: np.ndarray
    y: np.ndarray
    model: Model
    queries: list[Query]


def fitted(x: np.ndarray, y: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Newton's method to the minimum of mean cross-entropy + L2 / 2 |weights|^2, biases left out: (classes, d + 1)."""
    h = np.c_[x, np.ones(len(x))]
    weights = np.zeros((CLASSES, h.shape[1])) if start is None else start.copy()
    ridge = np.full(weights.shape, L2)
    ridge[:, -1] = 0
    for _ in range(60):
        chances = np.exp(h @ weights.T)
        chances /= chances.sum(axis=1, keepdims=True)
        slope = ((chances - np.eye(CLASSES)[y]).T @ h / len(x) + ridge * weights).ravel()
        if np.abs(slope).max() < 1e-13:
            break
        bends = np.einsum("nab,ni,nj->aibj", _bends(chances), h, h, optimize=True) / len(x)
        curvature = bends.reshape(slope.size, -1) + np.diag(ridge.ravel())
        weights -= np.linalg.lstsq(curvature, slope, rcond=None)[0].reshape(weights.shape)
    return weights


def _bends(chances: np.ndarray) -> np.ndarray:
    return chances[:, :, None] * (np.eye(CLASSES) - chances[:, None, :])


def losses(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    scores = np.c_[x, np.ones(len(x))] @ weights.T
    return np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(y)), y]


@pytest.fixture(scope="module")
def logistic() -> Logistic:
    x, y = load_digits(n_class=CLASSES, return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:180]
    x, y = x[order].reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16) / 16, y[order]
    asked, right = x[150:162], y[150:162]
    x, y = x[:150].astype(np.float32).astype(np.float64), y[:150].copy()
    y[:8] = (y[:8] + 1) % CLASSES
    weights = fitted(x, y)
    graph = onnx.parser.parse_graph("g (float[n,16] x) => (float[n,3] y) { y = Gemm<transB=1>(x, w, b) }")
    for name, value in (("w", weights[:, :-1]), ("b", weights[:, -1])):
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    queries = [
        Query(str(k), {"x": asked[k : k + 1].astype(np.float32)}, None, int(right[k])) for k in range(len(asked))
    ]
    return Logistic(weights, x, y, agnostic.load(proto, device="cpu"), queries)


@pytest.fixture(scope="module")
def exact(logistic: Logistic) -> np.ndarray:
    data = arrays(logistic.x.astype(np.float32), logistic.y)
    return influence(logistic.model, data, logistic.queries, l2=L2).values


def test_exact_ranks_as_retraining_without_each_sample_does(logistic: Logistic, exact: np.ndarray) -> None:
    removed = np.random.default_rng(1).permutation(150)[:100]
    asked = np.concatenate([query.feeds["x"] for query in logistic.queries]).astype(np.float64)
    right = np.array([query.label for query in logistic.queries])
    before = losses(logistic.weights, asked, right)
    true = np.stack(
        [
            losses(fitted(np.delete(logistic.x, i, 0), np.delete(logistic.y, i), logistic.weights), asked, right)
            - before
            for i in removed
        ],
        axis=1,
    )
    ranks = [spearmanr(exact[query, removed], true[query]).statistic for query in range(len(asked))]
    assert np.mean(ranks) >= 0.99, ranks
    assert spearmanr(exact[:, removed].sum(axis=0), true.sum(axis=0)).statistic >= 0.99
    # Not the order alone: the effects themselves, to the order in which they are small.
    assert np.abs(exact[:, removed] - true).max() < 0.25 * np.abs(true).max()


def test_exact_is_the_closed_form(logistic: Logistic, exact: np.ndarray) -> None:
    h = np.c_[logistic.x, np.ones(150)]
    chances = np.exp(h @ logistic.weights.T)
    chances /= chances.sum(axis=1, keepdims=True)
    rows = np.einsum("nc,nd->ncd", chances - np.eye(CLASSES)[logistic.y], h).reshape(150, -1)
    ridge = np.full((CLASSES, 17), L2)
    ridge[:, -1] = 0
    curvature = np.einsum("nab,ni,nj->aibj", _bends(chances), h, h, optimize=True).reshape(51, 51) / 150 + np.diag(
        ridge.ravel()
    )
    one = np.r_[logistic.queries[0].feeds["x"][0], 1]
    odds = np.exp(logistic.weights @ one)
    slope = np.outer(odds / odds.sum() - np.eye(CLASSES)[logistic.queries[0].label], one).ravel()
    # H^+ of the slope: the softmax does not see what is added to all biases.
    expected = rows @ (np.linalg.pinv(curvature, rcond=1e-9) @ slope) / 150
    np.testing.assert_allclose(exact[0], expected, atol=2e-4 * np.abs(expected).max())
    data = arrays(logistic.x.astype(np.float32), logistic.y)
    norms = np.einsum("np,pq,nq->n", rows, np.linalg.pinv(curvature, rcond=1e-9), rows) / 150
    found = self_influence(logistic.model, data, l2=L2)
    np.testing.assert_allclose(found, norms, atol=2e-4 * norms.max())
    # Most of the eight wrong labels are among the ten with the largest influence on themselves; one would be by chance.
    assert len(set(range(8)) & set(np.argsort(-found)[:10].tolist())) >= 5


@pytest.mark.parametrize(
    ("solver", "settings", "near"),
    [
        ("cg", {"iterations": 200, "tolerance": 1e-8}, 1e-5),
        ("cg", {"iterations": 200, "tolerance": 1e-8, "curvature": "hessian"}, 1e-5),
        ("arnoldi", {"rank": 51}, 1e-5),
        ("lissa", {"depth": 600, "batch": 150}, 0.1),
    ],
)
def test_solvers_agree_with_the_closed_form(
    logistic: Logistic, exact: np.ndarray, solver: str, settings: dict[str, Any], near: float
) -> None:
    data = arrays(logistic.x.astype(np.float32), logistic.y)
    found = influence(logistic.model, data, logistic.queries[:2], solver=solver, l2=L2, double=True, **settings)
    assert np.abs(found.values - exact[:2]).max() <= near * np.abs(exact[:2]).max()
    assert found.targets[0] == f"log p(class {logistic.queries[0].label})"


def test_few_samples_are_solved_for_by_themselves(logistic: Logistic) -> None:
    data = arrays(logistic.x.astype(np.float32), logistic.y)
    ids = np.array([3, 90])
    by_cg = self_influence(logistic.model, data, solver="cg", l2=L2, double=True, tolerance=1e-8, ids=ids)
    np.testing.assert_allclose(by_cg, self_influence(logistic.model, data, l2=L2, ids=ids), rtol=1e-3)
    by_arnoldi = self_influence(logistic.model, data, solver="arnoldi", l2=L2, double=True, rank=51, ids=ids)
    np.testing.assert_allclose(by_arnoldi, by_cg, rtol=1e-3)
    with pytest.raises(UsageError, match="takes as many solves"):
        self_influence(logistic.model, data, solver="cg", l2=L2)


def test_ekfac_is_exact_where_the_curvature_factorises() -> None:
    """Two classes, one weight vector per class, features of one sample only: the factors are the whole curvature."""
    graph = onnx.parser.parse_graph("g (float[n,2] x) => (float[n,2] y) { y = MatMul(x, w) }")
    graph.initializer.append(numpy_helper.from_array(np.zeros((2, 2), np.float32), "w"))
    model = agnostic.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    x = np.tile(np.float32([[1, 2]]), (64, 1))
    data = arrays(x, np.arange(64) % 2)
    queries = [Query("q", {"x": np.float32([[1, 0]])}, None, 0)]
    how = {"damping": 0.1, "double": True}
    by_factors = influence(model, data, queries, solver="ekfac", **how).values
    by_cg = influence(model, data, queries, solver="cg", tolerance=1e-10, **how).values
    np.testing.assert_allclose(by_factors, by_cg, rtol=1e-5)


@pytest.fixture(scope="module")
def convolutional(cnn: SimpleNamespace) -> SimpleNamespace:
    data = cnn.digits(160, wrong=0.1, seed=0)
    x, net = cnn.inputs_of(data.pictures, 14), cnn.network((3, 4), 8, smooth=True, side=14)
    early = None
    for epoch in cnn.trained(net, x, data.labels, epochs=25, rate=1e-2, batch=32):
        early = early or (agnostic.load(cnn.to_onnx(net, 14), device="cpu") if epoch == 4 else None)
    model = agnostic.load(cnn.to_onnx(net, 14), device="cpu")
    return SimpleNamespace(
        model=model, early=early, x=x, y=data.labels, flipped=data.flipped, data=arrays(x, data.labels)
    )


def test_gradients_by_weights_are_those_of_differences(convolutional: SimpleNamespace) -> None:
    parameters = Parameters(convolutional.model, double=True)
    feeds, labels = {"x": convolutional.x[:12]}, convolutional.y[:12]
    rows = parameters.row_gradients(feeds, labels)
    directions = np.random.default_rng(0).normal(size=(2, parameters.size))
    np.testing.assert_allclose(parameters.row_dots(feeds, labels, directions), rows @ directions.T, atol=1e-10)
    np.testing.assert_allclose(parameters.loss_gradient(feeds, labels), rows.sum(axis=0), atol=1e-10)

    held = parameters.module.graph.constants
    before = {name: held[name] for name in parameters.names}

    def moved(step: float) -> tuple[np.ndarray, np.ndarray]:
        for item in parameters.table:
            change = directions[0, item.start : item.stop].reshape(item.shape)
            held[item.name] = before[item.name] + before[item.name].new_tensor(step * change)
        result = parameters.losses(feeds, labels), parameters.loss_gradient(feeds, labels)
        held.update(before)
        return result

    (up, bent_up), (down, bent_down) = moved(1e-5), moved(-1e-5)
    np.testing.assert_allclose((up - down) / 2e-5, rows @ directions[0], rtol=1e-4, atol=1e-6)
    product = parameters.product(feeds, labels, directions[0], "hessian")
    np.testing.assert_allclose(product, (bent_up - bent_down) / 2e-5, rtol=1e-3, atol=1e-3 * np.abs(product).max())


def test_gauss_newton_is_what_jacobian_and_softmax_make(convolutional: SimpleNamespace) -> None:
    parameters = Parameters(convolutional.model, ("9.weight", "7.bias"), double=True)
    feeds, labels = {"x": convolutional.x[:6]}, convolutional.y[:6]
    model = convolutional.model
    slopes = np.stack(
        [[parameters.target_gradient({"x": row[None]}, model.target(c)) for c in range(10)] for row in feeds["x"]]
    )
    scores = model.run(feeds)["logits"].astype(np.float64)
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    inner = chances[:, :, None] * (np.eye(10) - chances[:, None, :])
    whole = np.einsum("nap,nab,nbq->pq", slopes, inner, slopes, optimize=True)
    vector = np.random.default_rng(0).normal(size=parameters.size)
    np.testing.assert_allclose(parameters.product(feeds, labels, vector), whole @ vector, rtol=1e-4, atol=1e-6)
    assert np.linalg.eigvalsh(whole).min() > -1e-9


def test_factors_multiply_to_the_gradients(convolutional: SimpleNamespace) -> None:
    parameters = Parameters(convolutional.model, double=True)
    feeds, labels = {"x": convolutional.x[:9]}, convolutional.y[:9]
    layers = layouts(parameters)
    assert [layout.layer.step.kind[1] for layout in layers] == ["Conv", "Conv", "Gemm", "Gemm"]
    built = np.zeros((9, parameters.size))
    for layout, found in zip(layers, factors(parameters, layers, feeds, labels), strict=True):
        for row, gradient in zip(built, found.gradients(), strict=True):
            layout.put(gradient, row)
        np.testing.assert_array_equal(layout.matrix(built[0]), found.gradients()[0])
    expected = parameters.row_gradients(feeds, labels)
    np.testing.assert_allclose(built, expected, atol=1e-6 * np.abs(expected).max())


def test_wrong_labels_stand_out_by_their_own_influence(convolutional: SimpleNamespace) -> None:
    wrong = np.isin(np.arange(160), convolutional.flipped)
    for found in (
        self_influence(convolutional.model, convolutional.data),
        self_influence(convolutional.model, convolutional.data, solver="ekfac"),
        self_tracin([convolutional.early, convolutional.model], convolutional.data),
    ):
        first = np.argsort(-found)[:16]
        assert wrong[first].mean() > 3 * wrong.mean(), wrong[first]


def test_tracin_sums_the_gradients_products(convolutional: SimpleNamespace) -> None:
    models, query = [convolutional.early, convolutional.model], Query("q", {"x": convolutional.x[:1]}, None, 4)
    found = tracin(models, convolutional.data, [query], rates=[0.5, 2.0]).values[0]
    expected = np.zeros(160)
    for model, rate in zip(models, (0.5, 2.0), strict=True):
        parameters = Parameters(model)
        rows = parameters.row_gradients({"x": convolutional.x}, convolutional.y)
        expected += rate * rows @ parameters.loss_gradient({"x": convolutional.x[:1]}, np.array([4]))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_a_sample_is_like_itself(convolutional: SimpleNamespace) -> None:
    queries = [Query(str(k), {"x": convolutional.x[k : k + 1]}, None, int(convolutional.y[k])) for k in (5, 9)]
    found = similarity(convolutional.model, convolutional.data, queries).values
    assert found[0, 5] == pytest.approx(1, abs=1e-4) and found[1, 9] == pytest.approx(1, abs=1e-4)
    assert (np.abs(found) <= 1 + 1e-6).all()


def test_a_hidden_unit_and_a_group_are_asked_about(convolutional: SimpleNamespace) -> None:
    model = convolutional.model
    one, other = (model.target(f"tanh1:{unit}") for unit in (0, 2))
    queries = [Query("x", {"x": convolutional.x[:1]}, target) for target in (one, other, one + other)]
    found = influence(model, convolutional.data, queries, solver="cg", damping=0.05, double=True, tolerance=1e-9)
    assert found.targets == ("tanh1:0", "tanh1:2", "tanh1:0 + tanh1:2")
    np.testing.assert_allclose(
        found.values[2], found.values[0] + found.values[1], atol=1e-5 * np.abs(found.values).max()
    )
    with pytest.raises(ModelError, match="do not reach 'tanh1:0'"):
        influence(model, convolutional.data, queries[:1])
    with pytest.raises(ModelError, match="none of the chosen weights reaches"):
        influence(model, convolutional.data, queries[:1], solver="cg", weights="last")


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"solver": "magic"}, UsageError, "unknown solver 'magic'"),
        ({"weights": "all"}, UsageError, "exact is of the last layer alone"),
        ({"rank": 5}, UsageError, "the solver exact has no setting 'rank'"),
        ({"solver": "cg", "depth": 5}, UsageError, "the solver cg has no setting 'depth'"),
        ({"solver": "cg", "weights": "8.weight"}, UsageError, "unknown weights '8.weight'"),
        ({"solver": "cg", "damping": -1.0}, UsageError, "expected numbers from 0"),
        ({"solver": "cg", "iterations": 0}, UsageError, "iterations=0"),
        ({"solver": "lissa", "scale": 1e-4}, ModelError, "diverges"),
        ({"solver": "ekfac", "curvature": "hessian"}, UsageError, "take the solver cg"),
        ({"solver": "cg", "curvature": "hessian", "damping": 0.0}, ModelError, "bent the other way"),
        ({"solver": "cg", "curvature": "flat"}, UsageError, "expected gauss-newton or hessian"),
    ],
)
def test_what_does_not_fit_is_said(
    convolutional: SimpleNamespace, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        influence(convolutional.model, convolutional.data, [Query("q", {"x": convolutional.x[:1]})], **settings)


def test_a_single_score_is_asked_about_as_two_classes(opened: Callable[..., Model]) -> None:
    weights = {"w": np.float32([[1.5], [-1]]), "b": np.float32([0.2])}
    model = opened("g (float[n,2] x) => (float[n,1] y) { y = Gemm(x, w, b) }", weights)
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    data, query = arrays(x, (x[:, 0] > x[:, 1]).astype(int)), [Query("q", {"x": x[:1]}, None, 1)]
    how = {"l2": 0.02, "damping": 0.01}
    closed = influence(model, data, query, **how).values
    solved = influence(model, data, query, solver="cg", double=True, tolerance=1e-9, **how).values
    np.testing.assert_allclose(closed, solved, atol=1e-5 * np.abs(closed).max())
    wide = np.c_[x, np.ones(50)].astype(np.float64)
    chance = 1 / (1 + np.exp(-wide @ [1.5, -1, 0.2]))
    bends = (wide * (chance * (1 - chance))[:, None]).T @ wide / 50 + np.diag([0.03, 0.03, 0.01])
    expected = (wide * (chance - data.labels)[:, None]) @ np.linalg.solve(bends, (chance[0] - 1) * wide[0]) / 50
    np.testing.assert_allclose(closed[0], expected, atol=1e-5 * np.abs(expected).max())


def test_a_unit_that_is_off_is_not_said_to_be_uninfluenced(opened: Callable[..., Model]) -> None:
    text = "g (float[n,2] x) => (float[n,2] y) { a = MatMul(x, w) h = Relu(a) y = MatMul(h, v) }"
    model = opened(text, {"w": -np.eye(2, dtype=np.float32), "v": np.eye(2, dtype=np.float32)})
    data = arrays(np.float32([[1, -1], [-1, 1]]), [0, 1])
    query = [Query("q", {"x": np.float32([[1, 1]])}, model.target("h:0"))]
    with pytest.raises(ItemError, match="h:0 does not move with the weights on q"):
        influence(model, data, query, solver="cg")


def test_models_without_weights_or_a_linear_end_are_refused(
    opened: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = opened("g (float[n,3] x) => (float[n,3] y) { y = Relu(x) }")
    linear = opened("g (float[n,3] x) => (float[n,3] y) { y = MatMul(x, w) }", {"w": np.eye(3, dtype=np.float32)})
    data, query = arrays(np.ones((4, 3), np.float32), [0, 1, 2, 0]), [Query("q", {"x": np.ones((1, 3), np.float32)})]
    with pytest.raises(ModelError, match="do not come from a linear layer"):
        influence(bare, data, query)
    with pytest.raises(ModelError, match="has no floating weights"):
        influence(bare, data, query, solver="cg")
    with pytest.raises(InputError, match="nothing was asked about"):
        influence(bare, data, [])
    with pytest.raises(InputError, match="sample 2 has the label 3"):
        influence(linear, arrays(np.ones((4, 3), np.float32), [0, 1, 3, 0]), query)
    monkeypatch.setattr(importlib.import_module("agnostic.training.exact"), "MOST", 4)
    with pytest.raises(LimitError, match="9 weights; exact takes 4 at most"):
        influence(linear, data, query)
    with pytest.raises(UsageError, match="2 rates for 1 checkpoints"):
        tracin([linear], data, query, rates=[1, 2])

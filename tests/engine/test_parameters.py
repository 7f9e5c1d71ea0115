"""Gradients by weights on models whose gradients are written down by hand, and on every kind of linear layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agnostic.engine.factors import factors, layouts
from agnostic.engine.model import Model
from agnostic.engine.parameters import Parameters
from agnostic.errors import ModelError, UsageError

Open = Callable[..., Model]
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture
def linear(opened: Open) -> Model:
    text = "g (float[n,4] x) => (float[n,3] y) { a = MatMul(x, w) y = Add(a, b) }"
    return opened(text, {"w": normal(4, 3), "b": normal(3)})


def test_a_linear_model_has_the_gradients_of_the_book(linear: Model) -> None:
    parameters, x, labels = Parameters(linear, double=True), normal(5, 4), np.array([0, 1, 2, 1, 0])
    assert [(item.name, item.shape, item.start, item.stop) for item in parameters.table] == [
        ("w", (4, 3), 0, 12), ("b", (3,), 12, 15),
    ]  # fmt: skip
    assert parameters.decayed.tolist() == [True] * 12 + [False] * 3
    weights, bias = parameters.values[:12].reshape(4, 3), parameters.values[12:]
    chances = softmax(x @ weights + bias)
    slopes = chances - np.eye(3)[labels]
    expected = np.concatenate([np.einsum("nd,nc->ndc", x, slopes).reshape(5, 12), slopes], axis=1)
    np.testing.assert_allclose(parameters.row_gradients({"x": x}, labels), expected, atol=1e-9)
    np.testing.assert_allclose(parameters.losses({"x": x}, labels), -np.log(chances[np.arange(5), labels]), atol=1e-9)
    wide = np.c_[x, np.ones(5)]
    inner = chances[:, :, None] * (np.eye(3) - chances[:, None, :])
    vector = RNG.normal(size=15)
    shaped = np.r_[vector[:12].reshape(4, 3), vector[12:][None]]
    moved = np.einsum("nab,nb->na", inner, wide @ shaped)
    for kind in ("gauss-newton", "hessian"):  # the same where the scores are linear in the weights
        found = parameters.product({"x": x}, labels, vector, kind)  # type: ignore[arg-type]
        whole = wide.T @ moved
        np.testing.assert_allclose(found, np.r_[whole[:4].ravel(), whole[4]], atol=1e-9)


def test_a_target_is_differentiated_by_chosen_weights(linear: Model) -> None:
    x = normal(2, 4)
    found = Parameters(linear, ["b"]).target_gradient({"x": x}, linear.target("1 - 0.5*2"))
    np.testing.assert_allclose(found, [0, 2, -1], atol=1e-6)
    with pytest.raises(UsageError, match="unknown weights 'x'"):
        Parameters(linear, ["x"])


def test_a_single_score_is_one_of_two(opened: Open) -> None:
    model = opened("g (float[n,2] x) => (float[n,1] y) { y = MatMul(x, w) }", {"w": normal(2, 1)})
    parameters, x, labels = Parameters(model, double=True), normal(6, 2), np.array([0, 1, 1, 0, 1, 0])
    chance = 1 / (1 + np.exp(-(x @ parameters.values)))
    np.testing.assert_allclose(parameters.row_gradients({"x": x}, labels), (chance - labels)[:, None] * x, atol=1e-9)


def test_what_prepares_the_input_is_no_weight_and_what_follows_is(opened: Open) -> None:
    text = """g (float[n,3] x) => (float[n,2] y) {
        a = Mul(x, scale) c = Add(a, shift) h = MatMul(c, w) k = Mul(h, gain) m = Mul(k, half) y = Add(m, bias) }"""
    weights = {"scale": normal(3), "shift": normal(3), "w": normal(3, 2), "gain": normal(2), "bias": normal(2)}
    model = opened(text, {**weights, "half": np.float32(0.5)})
    assert Parameters(model).names == ("w", "gain", "bias")


def test_scores_with_places_have_no_loss(opened: Open) -> None:
    model = opened("g (float[n,2,2] x) => (float[n,2,2] y) { y = MatMul(x, w) }", {"w": normal(2, 2)})
    with pytest.raises(ModelError, match="3 axes; expected one row a sample"):
        Parameters(model).losses({"x": normal(1, 2, 2)}, np.array([0]))


END = "t = Tanh(c) p = GlobalAveragePool(t) h = Flatten(p)"
LAYERS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "gemm": ("h = Gemm(x, w, b)", {"w": normal(4, 3), "b": normal(3)}, (4,)),
    "gemm turned": ("h = Gemm<transB=1>(x, w, b)", {"w": normal(3, 4), "b": normal(3)}, (4,)),
    "matmul": ("h = MatMul(x, w)", {"w": normal(4, 3)}, (4,)),
    "matmul and bias": ("a = MatMul(x, w) h = Add(b, a)", {"w": normal(4, 3), "b": normal(3)}, (4,)),
    "tokens": ("a = MatMul(x, w) c = Add(a, b) t = Tanh(c) h = ReduceMean<axes=[1],keepdims=0>(t)",
               {"w": normal(4, 3), "b": normal(3)}, (5, 4)),
    "convolution": ("c = Conv(x, w, b) " + END,
                    {"w": normal(3, 2, 3, 3), "b": normal(3)}, (2, 6, 5)),
    "convolution with steps": (
        "c = Conv<strides=[2,1],pads=[1,0,2,1],dilations=[1,2]>(x, w) " + END,
        {"w": normal(3, 2, 3, 2)}, (2, 7, 6)),
    "convolution, same": ('c = Conv<auto_pad="SAME_UPPER",strides=[2,2]>(x, w) ' + END,
                          {"w": normal(3, 2, 3, 3)}, (2, 6, 5)),
    "one dimension": ("c = Conv<strides=[2]>(x, w, b) " + END,
                      {"w": normal(3, 2, 4), "b": normal(3)}, (2, 9)),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYERS)
def test_factors_of_every_kind_of_layer_multiply_to_its_gradients(opened: Open, kind: str) -> None:
    text, weights, shape = LAYERS[kind]
    sizes = ",".join(map(str, ("n", *shape)))
    graph = f"g (float[{sizes}] x) => (float[n,3] h) {{ {text} }}"
    parameters = Parameters(opened(graph, weights, opset=13), double=True)
    feeds, labels = {"x": normal(6, *shape)}, np.array([0, 1, 2, 0, 1, 2])
    layers = layouts(parameters)
    assert len(layers) == 1 and (layers[0].bias is not None) == ("b" in weights)
    built = np.zeros((6, parameters.size))
    for row, gradient in zip(built, factors(parameters, layers, feeds, labels)[0].gradients(), strict=True):
        layers[0].put(gradient, row)
        np.testing.assert_allclose(layers[0].matrix(row), gradient)
    np.testing.assert_allclose(built, parameters.row_gradients(feeds, labels), atol=2e-6)


def test_labels_are_drawn_as_the_model_gives_them(opened: Open) -> None:
    model = opened("g (float[n,2] x) => (float[n,2] y) { y = MatMul(x, w) }", {"w": np.float32([[3, 0], [0, 0]])})
    parameters = Parameters(model)
    feeds = {"x": np.tile(np.float32([[1, 0]]), (4000, 1))}
    found = factors(parameters, layouts(parameters), feeds, None, seed=1)[0]
    # The slope of the first score is p - 1 where class 0 was drawn and p elsewhere: its mean is zero.
    chance = 1 / (1 + np.exp(-3))
    assert abs(found.slopes[:, 0, 0].mean()) < 0.02
    assert np.mean(found.slopes[:, 0, 0] < 0) == pytest.approx(chance, abs=0.02)
    again = factors(parameters, layouts(parameters), feeds, None, seed=1)[0]
    np.testing.assert_array_equal(again.slopes, found.slopes)


@pytest.mark.parametrize(
    ("text", "weights", "shape", "said"),
    [
        ("c = Conv<group=2>(x, w) h = GlobalAveragePool(c)", {"w": normal(4, 1, 3, 3)}, (2, 6, 6), "grouped"),
        ("a = MatMul(x, w) h = Mul(a, v)", {"w": normal(4, 3), "v": normal(3)}, (4,), "'v' are not those of one"),
        ("a = MatMul(x, w) b = MatMul(a, w) h = Tanh(b)", {"w": normal(3, 3)}, (3,), "'w' are not those of one"),
        ("h = Gemm<alpha=0.5>(x, w)", {"w": normal(4, 3)}, (4,), "scales or turns"),
    ],
)
def test_layers_that_do_not_factorise_are_named(
    opened: Open, text: str, weights: dict[str, Any], shape: tuple[int, ...], said: str
) -> None:
    sizes = ",".join(map(str, ("n", *shape)))
    out = "n,4,1,1" if len(shape) == 3 else "n,3"
    model = opened(f"g (float[{sizes}] x) => (float[{out}] h) {{ {text} }}", weights)
    with pytest.raises(ModelError, match=said):
        layouts(Parameters(model))

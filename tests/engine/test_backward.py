"""Modified backward passes against their definitions, written out by hand or in closed form."""

import numpy as np
import pytest

from agnostic.engine.backward import RULES

SIGNS = np.array([[2, -3, 4, 5], [-1, 6, 7, -8], [3, 1, -2, 4]], np.float32)


def _gradient(model, x, rule, target=0, of="logit"):
    found = model.autograd.gradients({"x": x}, [model.target(target)], ["x"], of=of, rule=rule)
    return found.gradients["x"][0], found.scores[:, 0]


def _adds_up(model, x, of="logit", tolerance=1e-5):
    """Whether multipliers times differences are the differences of the scores; x holds samples, then references."""
    multipliers, scores = _gradient(model, x, "rescale", of=of)
    samples, references = np.split(x.astype(np.float64), 2)
    ours, theirs = np.split(multipliers, 2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    total = (ours * (samples - references)).reshape(len(samples), -1).sum(axis=1)
    risen = np.subtract(*np.split(scores, 2))
    np.testing.assert_allclose(total, risen, atol=tolerance * max(1, np.abs(risen).max()))
    assert np.abs(risen).max() > 1e-3


@pytest.fixture
def relu(opened):
    text = "g (float[n,3] x) => (float[n,1] y) { h = MatMul(x, w) a = Relu(h) y = MatMul(a, v) }"
    return opened(text, {"w": SIGNS, "v": np.array([[1], [-2], [3], [0.5]], np.float32)})


def test_relu_rules_pass_what_they_say(relu):
    x = np.array([[1, -2, 0.5]], np.float32)
    back, active = np.array([1, -2, 3, 0.5]), (x @ SIGNS)[0] > 0
    assert 0 < active.sum() < 4
    for rule, passed in (
        ("plain", back * active),
        ("guided", np.maximum(back, 0) * active),
        ("deconvolution", np.maximum(back, 0)),
    ):
        np.testing.assert_allclose(_gradient(relu, x, rule)[0], (SIGNS @ passed)[None], err_msg=rule)


def test_a_saturated_clip_passes_nothing_to_guided_backpropagation(opened):
    model = opened(
        "g (float[n,3] x) => (float[n,1] y) { a = Clip(x, low, high) y = MatMul(a, v) }",
        {"low": np.float32(0), "high": np.float32(6), "v": np.array([[1], [2], [3]], np.float32)},
    )
    x = np.array([[-1, 3, 9]], np.float32)
    np.testing.assert_array_equal(_gradient(model, x, "guided")[0], [[0, 2, 0]])
    np.testing.assert_array_equal(_gradient(model, x, "deconvolution")[0], [[1, 2, 3]])


def test_the_values_are_those_of_the_model(relu, rng):
    x = rng.normal(size=(4, 3)).astype(np.float32)
    for rule in RULES:
        np.testing.assert_allclose(_gradient(relu, x, rule)[1], relu.run(x)["y"][:, 0], rtol=1e-6)


def test_rescale_is_the_slope_of_a_relu(relu):
    x = np.array([[1, -2, 0.5], [-1, 1, 1]], np.float32)
    before = x.astype(np.float64) @ SIGNS
    slope = np.subtract(*np.maximum(before, 0)) / np.subtract(*before)
    expected = SIGNS @ (slope * [1, -2, 3, 0.5])
    np.testing.assert_allclose(_gradient(relu, x, "rescale")[0], [expected, expected], rtol=1e-5)


def test_where_sample_and_reference_meet_the_slope_is_the_derivative(opened):
    model = opened("g (float[n,2] x) => (float[n,2] y) { y = Tanh(x) }")
    x = np.array([[0.5, 1], [0.5, 2]], np.float32)
    found = _gradient(model, x, "rescale")[0]
    np.testing.assert_allclose(found[:, 0], 1 - np.tanh(0.5) ** 2, rtol=1e-5)


@pytest.mark.parametrize(
    "body",
    [
        "h = MatMul(x, w) s = Sigmoid(h) p = Mul(h, s)",
        "h = MatMul(x, w) p = Softmax <axis = 1> (h)",
        "h = MatMul(x, w) d = Exp(h) p = Div(h, d)",
        "h = MatMul(x, w) m = ReduceMax <axes = [1], keepdims = 1> (h) p = Sub(h, m)",
        "h = MatMul(x, w) r = Relu(h) q = Pow(r, two) p = Tanh(q)",
        "h = MatMul(x, w) s = LeakyRelu <alpha = 0.3> (h) e = Erf(s) p = Max(e, half)",
    ],
)
def test_multipliers_times_differences_add_up(opened, rng, body):
    text = f"g (float[n,3] x) => (float[n,2] y) {{ {body} y = MatMul(p, v) }}"
    weights = {"w": rng.normal(size=(3, 4)), "v": rng.normal(size=(4, 2)), "two": np.float32(2)}
    weights["half"] = np.float32(0.1)
    model = opened(text, {name: np.asarray(value, np.float32) for name, value in weights.items()})
    x = rng.normal(size=(6, 3)).astype(np.float32)
    _adds_up(model, x)
    _adds_up(model, x, of="probability")
    _adds_up(model, x, of="loss")


def test_a_norm_adds_up_as_far_as_sixteen_points_tell(opened, rng):
    text = """g (float[n,8] x) => (float[n,2] y) {
        h = LayerNormalization <axis = 1> (x, scale, offset) y = MatMul(h, v) }"""
    weights = {"scale": np.ones(8), "offset": np.zeros(8), "v": rng.normal(size=(8, 2))}
    model = opened(text, {name: value.astype(np.float32) for name, value in weights.items()})
    _adds_up(model, rng.normal(size=(6, 8)).astype(np.float32), tolerance=1e-3)


def test_attention_adds_up(opened, rng):
    text = """g (float[n,5,4] x) => (float[n,4] y) {
        q = MatMul(x, wq) k = MatMul(x, wk) t = Transpose <perm = [0, 2, 1]> (k) s = MatMul(q, t)
        a = Softmax <axis = 2> (s) o = MatMul(a, x) y = ReduceMean <axes = [1], keepdims = 0> (o) }"""
    weights = {name: (rng.normal(size=(4, 4)) / 2).astype(np.float32) for name in ("wq", "wk")}
    _adds_up(opened(text, weights), rng.normal(size=(4, 5, 4)).astype(np.float32), tolerance=1e-4)


def test_a_maximum_gives_all_to_the_place_of_the_larger_one(opened):
    text = "g (float[n,1,1,3] x) => (float[n,1] y) { p = MaxPool <kernel_shape = [1, 3]> (x) y = Flatten(p) }"
    model = opened(text)
    x = np.array([[3, 1, 0], [0, 2, 0]], np.float32).reshape(2, 1, 1, 3)
    # The difference 3 - 2 goes to the first place, whose own difference is 3.
    np.testing.assert_allclose(_gradient(model, x, "rescale")[0][0].ravel(), [1 / 3, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(_gradient(model, x[::-1].copy(), "rescale")[0][0].ravel(), [1 / 3, 0, 0], rtol=1e-6)


def test_windows_that_overlap_add_up(opened, rng):
    text = """g (float[n,2,8,8] x) => (float[n,18] y) {
        p = MaxPool <kernel_shape = [3, 3], strides = [2, 2]> (x) y = Flatten(p) }"""
    model = opened(text)
    x = rng.normal(size=(4, 2, 8, 8)).astype(np.float32)
    targets = [model.target(index) for index in range(18)]
    found = model.autograd.gradients({"x": x}, targets, ["x"], rule="rescale")
    totals = (found.gradients["x"][:, :2] * (x[:2] - x[2:])).sum(axis=(2, 3, 4))
    np.testing.assert_allclose(totals, (found.scores[:2] - found.scores[2:]).T, atol=1e-5)

"""Values in units, labels of which several may be right, several outputs: against closed forms."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import agnostic
from agnostic.answers import predict, probabilities, question, untouched
from agnostic.engine.model import Model
from agnostic.errors import UsageError
from agnostic.inputs.reading import read_sample

X = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
HEADS = """
g (float[n,4] x) => (float[n,1] age, float[n,3] mood, float[n,2] kind) {
    age = MatMul(x, a) z = MatMul(x, w) mood = Softmax(z) k = MatMul(x, b) kind = Sigmoid(k)
}
"""
WEIGHTS = {
    "a": np.full((4, 1), 2, np.float32),
    "w": np.eye(4, 3, dtype=np.float32),
    "b": np.eye(4, 2, 1, dtype=np.float32),
}
DECLARED = {
    "outputs": {
        "age": {"kind": "regression", "unit": "years"},
        "mood": {"labels": ["calm", "angry", "red"]},
        "kind": {"kind": "labels"},
    }
}


@pytest.fixture(scope="module")
def diabetes(opened: Any) -> tuple[Model, LinearRegression, Any]:
    """scikit-learn's linear regression of diabetes' progression after a year, written down as a graph."""
    data = load_diabetes(scaled=False)
    fitted = LinearRegression().fit(data.data, data.target)
    weights = {"w": fitted.coef_[:, None].astype(np.float32), "b": np.array([fitted.intercept_], np.float32)}
    text = "g (float[n,10] x) => (float[n,1] progression) { m = MatMul(x, w) progression = Add(m, b) }"
    declared = {"kind": "regression", "unit": "points", "names": ["progression"]}
    return opened(text, weights, answer=declared), fitted, data


def test_a_regression_says_its_value_and_unit(diabetes: Any) -> None:
    model, fitted, data = diabetes
    sample = read_sample(model, data.data[:1].astype(np.float32))
    (said,) = predict(model, sample)
    assert said.score == pytest.approx(fitted.predict(data.data[:1])[0], rel=1e-5)
    assert (said.name, said.unit, said.probability) == ("progression", "points", None)
    assert said.as_dict()["unit"] == "points"
    assert not untouched(model, sample)


def test_a_linear_regression_in_closed_form(diabetes: Any) -> None:
    model, fitted, data = diabetes
    x, mean = data.data[5:6].astype(np.float32), data.data.mean(axis=0)
    expected = fitted.coef_ * (x[0] - mean)
    for method in ("kernelshap", "integrated_gradients"):
        settings = {} if method == "kernelshap" else {"baselines": ("fill",)}
        e = agnostic.explain(model, x, method, baseline=mean, **settings)
        np.testing.assert_allclose(e.values, expected, atol=2e-3)
        assert e.base_value == pytest.approx(data.target.mean(), abs=1e-2)
        assert e.meta["probability"] is None
    assert e.meta["score"] == pytest.approx(fitted.predict(x.astype(float))[0], rel=1e-5)


def test_the_first_of_several_values_is_explained_by_default(opened: Any) -> None:
    text = "g (float[n,4] x) => (float[n,3] y) { y = MatMul(x, w) }"
    declared = {"kind": "regression", "unit": ["mm", "kg", "s"]}
    model = opened(text, {"w": np.eye(4, 3, dtype="f4")}, answer=declared)
    sample = read_sample(model, X)
    assert [(item.name, item.score, item.unit) for item in predict(model, sample)] == [
        ("y[0]", 1, "mm"), ("y[1]", -2, "kg"), ("y[2]", 0.5, "s"),
    ]  # fmt: skip
    assert question(model, sample, None).target.key == "y[0]"


def test_labels_have_probabilities_of_their_own(opened: Any) -> None:
    text = "g (float[n,4] x) => (float[n,3] y) { z = MatMul(x, w) y = Sigmoid(z) }"
    model = opened(text, {"w": np.eye(4, 3, dtype="f4")})
    sample = read_sample(model, X)
    listed = predict(model, sample)
    assert [item.index for item in listed] == [0, 2, 1]
    np.testing.assert_allclose([item.probability for item in listed], 1 / (1 + np.exp(-X[[0, 2, 1]])), rtol=1e-6)
    with pytest.raises(UsageError, match="the model answers with labels that do not exclude each other"):
        question(model, sample, "0 vs rest")
    # Declared, the scores themselves are squashed.
    plain = opened("g (float[n,4] x) => (float[n,3] y) { y = MatMul(x, w) }", {"w": np.eye(4, 3, dtype="f4")},
                   answer={"kind": "labels"})  # fmt: skip
    np.testing.assert_allclose([item.probability for item in predict(plain, sample)],
                               [item.probability for item in listed], rtol=1e-6)  # fmt: skip


def test_several_outputs_answer_each_in_its_way(opened: Any) -> None:
    model = opened(HEADS, WEIGHTS, answer=DECLARED)
    sample = read_sample(model, X)
    listed = predict(model, sample, 2)
    assert [(item.output, item.name) for item in listed] == [
        ("age", "age"), ("mood", "calm"), ("mood", "red"), ("kind", "kind[1]"), ("kind", "kind[0]"),
    ]  # fmt: skip
    assert (listed[0].score, listed[0].unit, listed[0].probability) == (pytest.approx(5), "years", None)
    softmax = np.exp(X[:3]) / np.exp(X[:3]).sum()
    assert listed[1].probability == pytest.approx(softmax[0], rel=1e-5)
    targets = [model.target(text) for text in ("mood:red", "kind:1", "age:0", "calm - red")]
    *found, difference = probabilities(model, sample, targets)
    assert difference is None
    assert found == [pytest.approx(softmax[2], rel=1e-5), pytest.approx(1 / (1 + np.exp(-X[0])), rel=1e-5), None]


def test_each_output_is_explained_by_its_name(opened: Any) -> None:
    model = opened(HEADS, WEIGHTS, answer=DECLARED)
    both = agnostic.explain(model, X, "kernelshap", ["age:0", "angry", None])
    np.testing.assert_allclose(both[0].values, 2 * X, atol=1e-5)
    np.testing.assert_allclose(both[1].values, [0, -2, 0, 0], atol=1e-5)
    assert [e.target for e in both] == ["age:0", "mood:angry", "age:0"]

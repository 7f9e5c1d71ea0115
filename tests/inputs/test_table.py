"""Rows as samples: declared columns, pipelines of mixed columns, backgrounds; answers known in closed form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pytest

import agnostic
from agnostic import models
from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.reading import read_sample
from agnostic.methods import all_methods

Open = Callable[..., Model]
WEIGHTS = np.array([[2.0, -1.0], [0.5, 3.0], [-4.0, 0.25]])
LINEAR = "g (float[n,3] x) => (float[n,2] y) { y = MatMul(x, w) }"
NAMES = ("a", "b", "c")
HERE = {"columns": [{"name": "a", "off": 1}, "b", {"name": "c", "off": -2}], "groups": {"ac": ["a", "c"]}}


@pytest.fixture(scope="module")
def declared(opened: Open) -> Model:
    weights = {"w": WEIGHTS.astype(np.float32)}
    return opened(LINEAR, weights, metadata={"agnostic.table": json.dumps(HERE)})


@pytest.fixture(scope="module")
def background() -> Any:
    return np.random.default_rng(8).normal(size=(7, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def pipeline() -> Any:
    """A scikit-learn pipeline of one-hot words and scaled numbers, as skl2onnx writes it: one input for each column."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "age": rng.normal(40, 12, 400).astype(np.float32),
            "work": rng.choice(["farm", "office", "sea"], 400),
            "children": rng.integers(0, 5, 400),
        }
    )
    paid = (frame["age"] + 8 * (frame["work"] == "sea") - 3 * frame["children"] + rng.normal(0, 4, 400) > 38).astype(
        int
    )
    steps = ColumnTransformer(
        [("words", OneHotEncoder(), ["work"]), ("numbers", StandardScaler(), ["age", "children"])]
    )
    fitted = make_pipeline(steps, LogisticRegression()).fit(frame, paid)
    inputs = [
        ("age", FloatTensorType([None, 1])),
        ("work", StringTensorType([None, 1])),
        ("children", Int64TensorType([None, 1])),
    ]
    proto = to_onnx(fitted, initial_types=inputs, options={"zipmap": False}, target_opset=17)
    return agnostic.load(proto, device="cpu"), fitted, frame


def test_shapley_values_of_a_linear_model_are_the_distance_from_the_background(
    declared: Model, background: Any
) -> None:
    x = np.array([1.0, -2, 3], np.float32)
    for index in (0, 1):
        found = agnostic.explain(declared, x, "kernelshap", index, background=background)
        np.testing.assert_allclose(found.weights, WEIGHTS[:, index] * (x - background.mean(0)), atol=1e-5)
        assert found.base_value == pytest.approx((background @ WEIGHTS)[:, index].mean(), abs=1e-5)
        assert found.meta["evaluations"] >= 6 * 7  # six coalitions, each with all seven rows


def test_an_interaction_is_shared_evenly(opened: Open, background: Any) -> None:
    """Of x0 * x1 and a background of one row, half of each crossed gain is either's (by the definition)."""
    text = "g (float[n,3] x) => (float[n,1] y) { t = MatMul(x, u) s = MatMul(x, v) y = Mul(t, s) }"
    axis = {name: np.eye(3, dtype=np.float32)[:, [at]] for at, name in enumerate("uv")}
    model = opened(text, axis, metadata={"agnostic.table": json.dumps({"columns": NAMES})})
    (p, q, r), x = background[0], np.array([3.0, 5, 7])
    found = agnostic.explain(model, x, "kernelshap", 0, background=background[:1])
    expected = [0.5 * (x[0] - p) * (x[1] + q), 0.5 * (x[1] - q) * (x[0] + p), 0.0]
    np.testing.assert_allclose(found.weights, expected, atol=1e-5)
    assert r not in found.weights


def test_a_background_of_several_rows_is_averaged_over_the_scores_not_the_rows(opened: Open) -> None:
    text = "g (float[n,2] x) => (float[n,1] y) { q = Mul(x, x) y = ReduceSum<keepdims=1>(q, axes) }"
    model = opened(text, {"axes": np.array([1])}, metadata={"agnostic.table": json.dumps({"columns": ["a", "b"]})})
    rows = np.array([[3.0, 0], [-3, 0]], np.float32)
    found = agnostic.explain(model, np.array([1.0, 2]), "kernelshap", 0, background=rows)
    assert found.base_value == pytest.approx(9)  # the mean row is 0, and would give 0
    np.testing.assert_allclose(found.weights, [1 - 9, 4], atol=1e-5)


def test_declared_values_stand_in_and_a_baseline_overrules_them(declared: Model) -> None:
    x = np.array([1.0, -2, 3], np.float32)
    found = agnostic.explain(declared, x, "occlusion", 0)
    np.testing.assert_allclose(found.weights, WEIGHTS[:, 0] * (x - [1, 0, -2]), atol=1e-5)
    assert found.meta["shown"]["off"] == "0"  # b declares none
    found = agnostic.explain(declared, x, "occlusion", 0, baseline=0.5)
    np.testing.assert_allclose(found.weights, WEIGHTS[:, 0] * (x - 0.5), atol=1e-5)
    found = agnostic.explain(declared, x, "occlusion", 0, baseline=[1, 2, 3])
    np.testing.assert_allclose(found.weights, WEIGHTS[:, 0] * (x - [1, 2, 3]), atol=1e-5)


def test_a_group_moves_together(declared: Model) -> None:
    x = np.array([1.0, -2, 3], np.float32)
    found = agnostic.explain(declared, x, "occlusion", 1, features="groups", baseline=0.0)
    np.testing.assert_allclose(found.weights, [-1 * 1 + 0.25 * 3, 3.0 * -2], atol=1e-5)
    assert found.meta["feature_names"] == ["ac", "b"]
    assert found.meta["shown"]["values"] == ["1, 3", "-2"]
    np.testing.assert_array_equal(found.values, found.weights[[0, 1, 0]])


def test_gradients_are_complete_and_summed_by_group(declared: Model, background: Any) -> None:
    x = np.array([1.0, -2, 3], np.float32)
    found = agnostic.explain(declared, x, "integrated_gradients", 0, background=background, features="groups")
    single = WEIGHTS[:, 0] * (x - background.mean(0))
    np.testing.assert_allclose(found.weights, [single[0] + single[2], single[1]], atol=1e-5)
    assert found.meta["parity"]["largest"] < 1e-5


def test_gradients_between_a_row_and_those_of_the_background(declared: Model, background: Any) -> None:
    """Of a linear model they are w times the distance from the rows drawn: in the long run, from their mean."""
    x = np.array([1.0, -2, 3], np.float32)
    settings = {"baselines": ("noise",), "samples": 4000}
    found = agnostic.explain(declared, x, "expected_gradients", 0, background=background, **settings)
    np.testing.assert_allclose(found.weights, WEIGHTS[:, 0] * (x - background.mean(0)), atol=0.15)
    with pytest.raises(UsageError, match="give rows of data with --background FILE, or --baselines fill"):
        agnostic.explain(declared, x, "expected_gradients", 0)
    with pytest.raises(UsageError, match="not compared with 'black'"):
        agnostic.explain(declared, x, "integrated_gradients", 0, baselines=("black",))


@pytest.mark.parametrize(
    "given",
    [
        {"a": 1.0, "b": -2, "c": "3"},
        pandas.DataFrame({"c": [3.0], "b": [-2], "a": [1]}),
        polars.DataFrame({"label": ["x"], "a": [1.0], "b": [-2.0], "c": [3.0]}),
        [{"a": 1, "b": -2, "c": 3}],
        [1, -2, 3],
        (1, -2, 3),
        np.array([[1, -2, 3]]),
        {"x": np.array([1, -2, 3])},
    ],
)
def test_whatever_a_row_comes_in_the_model_eats_the_same(declared: Model, given: Any) -> None:
    sample = read_sample(declared, given)
    np.testing.assert_array_equal(sample.arrays["x"], np.array([[1, -2, 3]], np.float32))
    assert sample.features.names == sample.features.identities == NAMES
    assert sample.shown["numbers"] == [1, -2, 3]


def test_files_are_rows_by_number(declared: Model, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("c,a,label,b\n3,1,x,-2\n30,10,y,-20\n")
    sample = read_sample(declared, path, row=1)
    np.testing.assert_array_equal(sample.arrays["x"], np.array([[10, -20, 30]], np.float32))
    assert sample.name == "rows.csv row 1"
    assert sample.notes[0] == "rows.csv: the model does not eat 'label'"
    assert "row 0 of 2 is explained; --row N takes another" in read_sample(declared, path).notes[0]
    np.save(tmp_path / "rows.npy", np.arange(6.0).reshape(2, 3))
    assert read_sample(declared, tmp_path / "rows.npy", row=1).arrays["x"].tolist() == [[3, 4, 5]]


def test_a_large_background_is_drawn_from_by_the_seed(declared: Model) -> None:
    rows = np.arange(900.0, dtype=np.float32).reshape(300, 3)
    sample, again, other = (read_sample(declared, rows[0], background=rows, seed=seed) for seed in (1, 1, 2))
    assert sample.features.draws == 100
    assert sample.notes[-1] == "the background: 100 of 300 rows are drawn as background, by the seed"
    np.testing.assert_array_equal(sample.features.background, again.features.background)
    assert (sample.features.background != other.features.background).any()
    assert set(map(tuple, sample.features.background)) <= set(map(tuple, rows))


def test_bins_name_the_interval_and_leave_it(declared: Model, background: Any) -> None:
    x = background[3]
    sample = read_sample(declared, x, background=background, features="bins:2")
    medians = np.median(background, axis=0)
    for at, (name, text) in enumerate(zip(NAMES, sample.features.names, strict=True)):
        above = x[at] > medians[at]
        assert text == (f"{name} > {medians[at]:.4g}" if above else f"{name} <= {medians[at]:.4g}")
        assert ((sample.features.background[:, at] > medians[at]) != above).all()
    assert sample.features.identities == NAMES


def test_a_pipeline_of_words_and_numbers_agrees_with_its_own_library(pipeline: Any) -> None:
    """Occlusion is the fall of the probability, averaged over the background: here once more, with scikit-learn."""
    model, fitted, frame = pipeline
    found = agnostic.explain(model, frame, "occlusion", 1, row=5, background=frame[100:130])
    own = fitted.predict_proba(frame[5:6])[0, 1]
    for at, name in enumerate(frame.columns):
        changed = pandas.concat([frame[5:6]] * 30, ignore_index=True)
        changed[name] = frame[name][100:130].to_numpy()
        assert found.weights[at] == pytest.approx(own - fitted.predict_proba(changed)[:, 1].mean(), abs=1e-5)
    assert found.meta["shown"]["values"][1:] == [frame["work"][5], str(frame["children"][5])]


def test_cells_by_input_name_are_a_row(pipeline: Any) -> None:
    model, fitted, frame = pipeline
    cells = {"work": "sea", "age": "41.5", "children": "2"}
    found = agnostic.explain(model, cells, "kernelshap", 1, background=frame[:20])
    row = pandas.DataFrame({"age": [41.5], "work": ["sea"], "children": [2]})
    assert found.meta["score"] == pytest.approx(fitted.predict_proba(row)[0, 1], abs=1e-5)
    assert found.weights.sum() + found.base_value == pytest.approx(found.meta["score"], abs=1e-5)


def test_a_word_without_anything_to_stand_in_asks_for_it(pipeline: Any) -> None:
    model, _, frame = pipeline
    with pytest.raises(UsageError, match="nothing can stand in for 'work', a category: give rows of data"):
        agnostic.explain(model, frame[:1], "lime")


def test_gradients_by_several_inputs_are_refused_with_what_works(pipeline: Any) -> None:
    model, _, frame = pipeline
    with pytest.raises(UsageError, match="switches features on and off"):
        agnostic.explain(model, frame[:1], "saliency", background=frame[:5])


def test_every_method_answers_on_a_real_row_or_says_why_not() -> None:
    """Of the embedded perceptron; what answers gives each of its thirty columns a finite number."""
    model, rows = agnostic.load("breast-cancer", device="cpu"), models.sample("breast_cancer")
    background = models.sample("breast_cancer_background")
    answered = []
    for method in all_methods():
        try:
            found = agnostic.explain(model, rows, method.name, row=17, background=background)
        except UsageError as error:
            reasons = ("cannot run on", "explains pictures", "map", "of several boxes", "needs a prior")
            assert any(reason in str(error) for reason in reasons), error
            continue
        assert found.weights is not None and found.weights.shape == (30,) and np.isfinite(found.weights).all()
        assert found.meta["feature_names"][0] == "mean radius"
        answered.append(method.name)
    assert {"kernelshap", "lime", "occlusion", "rise", "integrated_gradients", "deeplift", "saliency"} <= set(answered)
    assert "expected_gradients" in answered


def test_integrated_gradients_on_the_embedded_perceptron_add_up() -> None:
    model = agnostic.load("breast-cancer", device="cpu")
    found = agnostic.explain(model, models.sample("breast_cancer"), "integrated_gradients", "malignant", row=3)
    rise = found.meta["score"] - found.base_value
    assert found.weights.sum() == pytest.approx(rise, abs=2e-3 * abs(rise))
    assert found.meta["parity"]["largest"] < 1e-5 and found.meta["random_parity"] is not None


def test_trees_that_allow_gaps_are_explained_with_them(tmp_path: Path) -> None:
    """LightGBM sends a missing value down a branch of its own; the same trees in Python say what it is worth."""
    from agnostic.models import build_breast_cancer_trees as trees

    learnt, held_out, names = trees.read_rows()
    fitted = trees.train(learnt)
    proto = trees.write(fitted, learnt, names)
    for entry in proto.metadata_props:
        if entry.key == "agnostic.table":
            entry.value = json.dumps({**json.loads(entry.value), "missing": True})
    model, row = agnostic.load(proto, device="cpu"), held_out.x[0].copy()
    row[[1, 20]] = np.nan
    found = agnostic.explain(model, row, "occlusion", "malignant")
    assert found.meta["score"] == pytest.approx(fitted.predict_proba(row[None])[0, 1], abs=1e-5)
    assert found.meta["shown"]["values"][1] == "missing" and found.meta["shown"]["numbers"][20] is None
    with pytest.raises(InputError, match="row 0, column 'mean texture': the cell is empty"):
        agnostic.explain("breast-cancer-trees", row, "occlusion")


def test_settings_that_a_table_does_not_have(declared: Model) -> None:
    row = [1, 2, 3]
    with pytest.raises(UsageError, match="--fill blur goes with pictures and series"):
        agnostic.explain(declared, row, "lime", fill="blur")
    with pytest.raises(UsageError, match=r"baseline: shape \[2\] does not fit 3 columns"):
        agnostic.explain(declared, row, "lime", baseline=[1, 2])
    with pytest.raises(UsageError, match="bins are those of a background"):
        agnostic.explain(declared, row, "lime", features="bins")
    with pytest.raises(UsageError, match="--source y: the columns of the table go into x"):
        agnostic.explain(declared, row, "lime", source="y")
    with pytest.raises(UsageError, match="have no neighbours"):
        agnostic.explain(declared, row, "occlusion", window=2)
    with pytest.raises(InputError, match="there is no row 1; it has the rows 0 to 0"):
        agnostic.explain(declared, row, "lime", row=1)

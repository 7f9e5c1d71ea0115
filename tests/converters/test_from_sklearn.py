import json
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

import agnostic
from agnostic.converters import verify
from agnostic.converters.metadata import read_conversion
from agnostic.errors import ConversionError, UsageError

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def entries(proto: Any) -> dict[str, Any]:
    return {entry.key: json.loads(entry.value) for entry in proto.metadata_props}


@pytest.mark.parametrize(
    ("estimator", "answer"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), "predict_proba"),
        (RandomForestClassifier(10, random_state=0), "predict_proba"),
        (HistGradientBoostingClassifier(max_iter=5), "predict_proba"),
        (GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1.0]}, cv=2), "predict_proba"),
        (SVC(), "decision_function"),
        (LinearSVC(), "decision_function"),
        (RidgeClassifier(), "decision_function"),
    ],
    ids=lambda item: item if isinstance(item, str) else type(item).__name__,
)
@pytest.mark.parametrize("classes", [3, 2])
def test_classifiers_answer_as_scikit_learn_does(estimator: Any, answer: str, classes: int) -> None:
    estimator.fit(X, NAMES if classes == 3 else NAMES == "setosa")
    proto = agnostic.convert(estimator, X)
    scores = verify.run(proto, {"X": X.astype(np.float32)}, [proto.graph.output[1].name])[0]
    due = getattr(estimator, answer)(X)
    due = np.stack([-due, due], axis=1) if due.ndim == 1 else due
    assert np.allclose(scores, due, atol=2e-5)
    assert entries(proto)["agnostic.labels"] == (
        ["setosa", "versicolor", "virginica"] if classes == 3 else ["False", "True"]
    )


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), PCA(2), KMeans(3, n_init=1, random_state=0), IsolationForest(n_estimators=10)]
)
def test_what_is_no_classifier_is_compared_too(estimator: Any) -> None:
    record = read_conversion(agnostic.convert(estimator.fit(X, Y), X))
    assert record["batches"] == [1, 3, 16]
    assert record["relative_difference"] < 1e-5


def test_a_pipeline_is_explained_on_a_row_and_adds_up() -> None:
    table = load_breast_cancer(as_frame=True)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        table.data[::2], table.target_names[table.target[::2]]
    )
    assert pipeline.score(table.data[1::2], table.target_names[table.target[1::2]]) > 0.95
    proto = agnostic.convert(pipeline, table.data)
    columns = entries(proto)["agnostic.table"]["columns"]
    assert columns[3] == {"name": "mean area", "type": "number", "input": "X", "index": 3}
    # A linear model before its softmax: each value is the coefficient times the step from the baseline.
    row, start = table.data.to_numpy()[1], table.data.to_numpy().mean(0)
    model = agnostic.load(proto, device="cpu")
    e = agnostic.explain(
        model, row[None].astype(np.float32), "kernelshap", "malignant", baseline=start.astype(np.float32)
    )
    scores = pipeline.predict_proba(pandas.DataFrame([row, start], columns=table.data.columns))[:, 1]
    assert e.target == "malignant"
    assert e.values.sum() == pytest.approx(scores[0] - scores[1], abs=1e-4)


REVIEWS = [
    "A great film, full of life", "I loved every minute of it", "The best I have seen: É magnifique, déjà vu",
    "great great fun",
    "A dull and empty thing", "I hated the plot", "The worst film of the year is this", "boring, boring, boring",
]  # fmt: skip
KINDS = ["good"] * 4 + ["bad"] * 4


@pytest.mark.parametrize(
    "vectoriser",
    [
        TfidfVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2)),
        CountVectorizer(stop_words=["the", "of"]),
        TfidfVectorizer(lowercase=False),
    ],
)
def test_text_is_split_as_scikit_learn_splits_it_whatever_the_locale(vectoriser: Any) -> None:
    pipeline = make_pipeline(vectoriser, LogisticRegression()).fit(REVIEWS, KINDS)
    proto = agnostic.convert(pipeline, REVIEWS)
    texts = np.array(["The PLOT was great", "a b c", "Déjà vu of life?", "boring_fun, I say"], object)
    made = verify.run(proto, {"text": texts[:, None]}, ["probabilities"])[0]
    assert np.allclose(made, pipeline.predict_proba(texts), atol=1e-6)
    assert entries(proto)["agnostic.text"] == {"kind": "strings"}
    locales = [
        a.s
        for node in proto.graph.node
        if node.op_type == "StringNormalizer"
        for a in node.attribute
        if a.name == "locale"
    ]
    assert set(locales) <= {b"C"} and (locales or not vectoriser.lowercase)


@pytest.fixture(scope="module")
def passengers() -> tuple[pandas.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(
        {
            "age": rng.integers(1, 80, 300).astype(float), "unused": rng.random(300),
            "sex": rng.choice(["female", "male"], 300),
            "fare": rng.normal(30, 9, 300), "port of call": rng.choice(["S", "C", "Q"], 300),
        }
    )  # fmt: skip
    return table, np.where((table.sex == "female") & (table.age < 60) | (table.fare > 42), "lived", "died")


@pytest.fixture(scope="module")
def mixed(passengers: tuple[pandas.DataFrame, np.ndarray]) -> Any:
    table, fate = passengers
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "fare"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["sex", "port of call"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(table, fate)


def test_columns_of_different_kinds_are_inputs_of_their_own(passengers: Any, mixed: Any) -> None:
    table, _ = passengers
    for example in (table, None):
        proto = agnostic.convert(mixed, example)
        assert [value.name for value in proto.graph.input] == ["age", "sex", "fare", "port of call"]
    described = {column["name"]: column for column in entries(proto)["agnostic.table"]["columns"]}
    assert described["sex"] == {"name": "sex", "type": "category", "categories": ["female", "male"], "input": "sex"}
    assert described["age"] == {"name": "age", "type": "number", "input": "age"}
    feeds = {
        name: table[[name]].to_numpy(object if name in ("sex", "port of call") else np.float32) for name in described
    }
    feeds["age"] = np.where(np.arange(300)[:, None] > 0, feeds["age"], np.float32(np.nan))  # what the imputer fills in
    made = verify.run(proto, feeds, ["probabilities"])[0]
    due = mixed.predict_proba(table.assign(age=table.age.where(table.index > 0)))
    assert np.allclose(made, due, atol=1e-5)


@pytest.mark.parametrize("example", [True, False])
@pytest.mark.parametrize("kind", [pandas.DataFrame, np.asarray])
def test_a_column_of_numbers_that_are_kinds_is_asked_on_these_alone(passengers: Any, kind: Any, example: bool) -> None:
    table = kind(passengers[0][["age", "fare"]].assign(floor=np.arange(300) % 3 + 4.0))
    kinds = ["floor"] if kind is pandas.DataFrame else [2]
    parts = ColumnTransformer([("kinds", OneHotEncoder(), kinds), ("rest", StandardScaler(), [0, 1])])
    proto = agnostic.convert(
        make_pipeline(parts, LogisticRegression()).fit(table, passengers[1]), table if example else None
    )
    assert entries(proto)["agnostic.conversion"]["largest_difference"] < 1e-5


@pytest.mark.parametrize("name", ["m.joblib", "m.skops"])
def test_files_are_converted_in_a_process_of_their_own(name: str, mixed: Any, tmp_path: Path) -> None:
    if name.endswith("skops"):
        import skops.io

        skops.io.dump(mixed, tmp_path / name)
    else:
        joblib.dump(mixed, tmp_path / name)
    proto = agnostic.convert(tmp_path / name)
    assert entries(proto)["agnostic.labels"] == ["died", "lived"]
    assert read_conversion(proto)["largest_difference"] < 1e-6


def test_an_estimator_that_is_not_fitted_or_of_other_columns_is_refused() -> None:
    with pytest.raises(ConversionError, match="LogisticRegression is not fitted; fit it first"):
        agnostic.convert(LogisticRegression())
    fitted = LogisticRegression(max_iter=500).fit(X, Y)
    with pytest.raises(UsageError, match=r"shape \[150, 3\]; the estimator takes rows of 4"):
        agnostic.convert(fitted, X[:, :3])


def test_what_skl2onnx_does_not_know_says_so() -> None:
    pipeline = make_pipeline(CountVectorizer(analyzer="char_wb"), LogisticRegression()).fit(REVIEWS, KINDS)
    with pytest.raises(ConversionError, match=r"could not convert .*CountVectorizer cannot be converted"):
        agnostic.convert(pipeline, REVIEWS)


def test_a_regressor_of_a_frame_keeps_its_names() -> None:
    table = load_diabetes(as_frame=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        proto = agnostic.convert(LinearRegression().fit(table.data, table.target), table.data)
    assert [c["name"] for c in entries(proto)["agnostic.table"]["columns"]][:3] == ["age", "sex", "bmi"]

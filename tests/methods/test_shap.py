"""Shapley values of real rows against the package shap: its KernelExplainer, and its TreeExplainer."""

import csv
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import shap
from shap.utils._legacy import DenseData

import agnostic
from agnostic import models
from agnostic.engine.model import Model
from agnostic.inputs.reading import read_sample
from agnostic.methods import kernelshap
from agnostic.methods._coalitions import Coalitions

MODELS = ("breast-cancer", "breast-cancer-trees")
Scores = Callable[[Any], Any]


def read(name: str) -> Any:
    with models.sample(name).open(encoding="utf-8") as file:
        return np.array([[float(cell) for cell in line[:30]] for line in list(csv.reader(file))[1:]])


ROWS, BACKGROUND = read("breast_cancer"), read("breast_cancer_background")


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return agnostic.load(request.param, device="cpu")


def scores(model: Model) -> Scores:
    target = model.target("malignant")
    return lambda x: model.score(np.asarray(x, np.float32), (target,))[:, 0]


def ours(model: Model, row: Any, **settings: Any) -> agnostic.Explanation:
    return agnostic.explain(model, row, "kernelshap", "malignant", background=BACKGROUND, **settings)


def test_ten_measurements_agree_on_twenty_rows(model: Model) -> None:
    """Of ten groups there are 1,022 coalitions: both ask about all of them, so both are exact."""
    sample = ours(model, ROWS[0], features="groups")
    names = sample.meta["feature_names"]
    of = read_sample(model, ROWS[0], features="groups").features.labels
    groups = [np.flatnonzero(of == group) for group in range(len(names))]
    explainer = shap.KernelExplainer(scores(model), DenseData(BACKGROUND, names, groups))
    for row in ROWS:
        found = ours(model, row, features="groups")
        theirs = explainer.shap_values(row, nsamples=2000, l1_reg=False, silent=True)
        assert found.meta["exact"]
        np.testing.assert_allclose(found.weights, theirs, atol=1e-5)
        assert found.base_value == pytest.approx(explainer.expected_value, abs=1e-5)


def test_thirty_columns_agree_on_twenty_rows_by_the_same_coalitions(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are 2^30 coalitions of thirty columns, so both draw; asked about shap's own draws, ours says the same."""
    explainer = shap.KernelExplainer(scores(model), BACKGROUND)
    for number, row in enumerate(ROWS):
        np.random.seed(number)  # noqa: NPY002 - the generator that shap draws from
        theirs = explainer.shap_values(row, nsamples=600, l1_reg=False, silent=True)
        drawn = Coalitions(explainer.maskMatrix.astype(np.bool_), explainer.kernelWeights.copy(), exact=False)
        monkeypatch.setattr(kernelshap, "choose", lambda *_, drawn=drawn: drawn)
        np.testing.assert_allclose(ours(model, row).weights, theirs, atol=1e-5)


def test_thirty_columns_agree_as_far_as_their_own_draws_allow() -> None:
    """Between two draws of shap's own there is as much difference as between shap and ours."""
    model = agnostic.load("breast-cancer", device="cpu")
    explainer = shap.KernelExplainer(scores(model), BACKGROUND)
    apart, own = [], []
    for row in ROWS[:4]:
        draws = []
        for seed in (0, 1):
            np.random.seed(seed)  # noqa: NPY002 - the generator that shap draws from
            draws.append(explainer.shap_values(row, nsamples=4096, l1_reg=False, silent=True))
        found = ours(model, row, samples=4096)
        apart.append(np.abs(found.weights - draws[0]).max())
        own.append(np.abs(draws[1] - draws[0]).max())
    assert np.mean(apart) < 1.5 * np.mean(own)
    assert np.max(apart) < 0.06  # of scores that range over seven


def test_trees_agree_with_the_exact_values_of_a_walk_through_them() -> None:
    """TreeExplainer needs no coalitions: it walks each tree once per row of the background (interventional).

    It is exact for the margin of the trees, which they answer with where their last step is taken off.
    """
    from lightgbm import LGBMClassifier
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    from agnostic.models.build_breast_cancer import read_rows

    learnt, held_out, names = read_rows()
    columns = slice(0, 9)
    fitted = LGBMClassifier(n_estimators=30, num_leaves=6, random_state=0, n_jobs=1, verbose=-1)
    fitted.fit(learnt.x[:, columns], learnt.y)
    inputs = [("row", FloatTensorType([None, 9]))]
    proto = convert_lightgbm(fitted, initial_types=inputs, target_opset=15, zipmap=False)
    for attribute in (item for node in proto.graph.node for item in node.attribute if item.name == "post_transform"):
        attribute.s = b"NONE"
    model, background = agnostic.load(proto, device="cpu"), learnt.x[:40, columns]
    explainer = shap.TreeExplainer(fitted, background, feature_perturbation="interventional", model_output="raw")
    for row in held_out.x[:20, columns]:
        table = dict(zip(names[columns], row, strict=True))
        found = agnostic.explain(model, [table], "kernelshap", 1, background=background)
        assert found.meta["exact"]
        np.testing.assert_allclose(found.weights, explainer.shap_values(row[None])[0], atol=1e-4)

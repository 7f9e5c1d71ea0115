import json
from pathlib import Path

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import agnostic
from agnostic.converters import verify
from agnostic.errors import ConversionError

FEW = {"n_estimators": 12, "verbose": -1, "n_jobs": 1}


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_classes_have_the_probabilities_of_the_booster(load) -> None:
    x, y = load(return_X_y=True)
    wrapper = LGBMClassifier(**FEW).fit(x, y)
    proto = agnostic.convert(wrapper, x)
    label, chances = verify.run(proto, {"X": x.astype(np.float32)}, ["label", "probabilities"])
    # Thresholds are rounded to 32 bits: a row may change sides, most may not.
    close = np.abs(chances - wrapper.predict_proba(x.astype(np.float32))).max(1) < 1e-5
    assert close.mean() > 0.99 and (label == wrapper.predict(x)).mean() > 0.99


def test_a_file_of_a_regressor_keeps_its_columns_and_is_explained(tmp_path: Path) -> None:
    table = load_diabetes(as_frame=True)
    wrapper = LGBMRegressor(**FEW).fit(table.data, table.target)
    wrapper.booster_.save_model(tmp_path / "booster.txt")
    model = agnostic.load(tmp_path / "booster.txt", device="cpu")
    columns = json.loads({e.key: e.value for e in model.proto.metadata_props}["agnostic.table"])["columns"]
    assert [column["name"] for column in columns] == list(table.data.columns)
    row = table.data.to_numpy(np.float32)[:1]
    e = agnostic.explain(model, row, "kernelshap")
    due = wrapper.booster_.predict(np.concatenate([row, np.zeros_like(row)]))
    assert e.values.sum() == pytest.approx(due[0] - due[1], rel=1e-3, abs=1e-2)


def test_a_booster_in_a_pipeline_is_converted_with_it() -> None:
    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LGBMClassifier(**FEW)).fit(x, y)
    made = verify.run(agnostic.convert(pipeline, x), {"X": x.astype(np.float32)}, ["probabilities"])[0]
    assert (np.abs(made - pipeline.predict_proba(x)).max(1) < 1e-5).mean() > 0.99


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("tree\nversion=v4\nnonsense")
    with pytest.raises(ConversionError, match=r"LightGBM cannot read b\.txt"):
        agnostic.convert(tmp_path / "b.txt")

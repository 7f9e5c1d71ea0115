import numpy as np
import pytest
from PIL import Image

import agnostic
from agnostic.errors import InputError, LimitError, UsageError
from agnostic.inputs.array import array_sample
from agnostic.inputs.reading import Kind, Reading
from agnostic.inputs.several import singles


@pytest.fixture
def rows(rng):
    return rng.normal(size=(12, 3)).astype(np.float32)


def test_every_input_is_explained_for_its_own_top_class(linear, rows):
    model = linear([[2.0, -2.0], [1.0, 0.0], [0.0, 1.0]])
    found = agnostic.summarize(model, rows, "kernelshap")
    tops = (rows @ np.array([[2.0, -2.0], [1.0, 0.0], [0.0, 1.0]])).argmax(axis=1)
    counts = {item.target: len(item.arrays["score"]) for item in found.summaries}
    assert counts == {f"class {top}": int((tops == top).sum()) for top in np.unique(tops)}


def test_each_class_is_explained_on_every_input(linear, rows):
    found = agnostic.summarize(linear([[2.0, -2.0], [1.0, 0.0], [0.0, 1.0]]), rows, "kernelshap", "each")
    assert [(item.target, len(item.arrays["score"])) for item in found.summaries] == [("class 0", 12), ("class 1", 12)]
    for at, item in enumerate(found.summaries):
        expected = rows * np.array([[2.0, 1.0, 0.0], [-2.0, 0.0, 1.0]])[at]
        np.testing.assert_allclose(item.arrays["weight"].reshape(12, 3), expected, atol=1e-5)


def test_an_input_that_cannot_be_used_is_named_and_left_out(squeezenet_model, tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.random.default_rng(len(name)).integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"no picture")
    (tmp_path / ".hidden.png").write_bytes(b"not looked at")
    (tmp_path / "notes.md").write_text("not looked at either")
    found = agnostic.summarize(
        squeezenet_model, tmp_path, "occlusion", "tabby", by="segments", features="grid:2", clusters=2
    )
    assert list(found.failed) == ["c.png"]
    assert found.summaries[0].meta["samples"] == ["a.png", "b.png"]


def test_arrays_are_taken_apart_along_the_batch_axis(linear, rows, tmp_path):
    model = linear(np.ones((3, 2)))
    np.save(tmp_path / "rows.npy", rows)
    from_file = singles(model, [tmp_path / "rows.npy"], Reading())
    assert [item.name for item in from_file][:2] == ["rows.npy row 0", "rows.npy row 1"]
    np.testing.assert_array_equal(np.concatenate([item.given for item in from_file]), rows)
    assert len(singles(model, [rows[0], rows[1]], Reading())) == 2


def test_a_kind_of_input_takes_its_own_files_apart(linear, rows, monkeypatch):
    """As a table does with its rows: each is then read as what it is."""
    kind = Kind(
        lambda model, name, given, reading: isinstance(given, str | dict),
        lambda model, by_name, reading: array_sample(model, {"x": np.array(by_name[""]["cells"], np.float32)}),
        lambda model, given, reading: [(f"{given} {n}", {"": {"cells": row}}) for n, row in enumerate(rows[:4])],
    )
    monkeypatch.setattr("agnostic.inputs.reading.KINDS", (kind,))
    monkeypatch.setattr("agnostic.inputs.several.KINDS", (kind,))
    found = agnostic.summarize(linear(np.array([[1.0, 0], [2.0, 0], [3.0, 0]])), "rows.table", "kernelshap", 0)
    assert found.summaries[0].meta["samples"] == [f"rows.table {number}" for number in range(4)]
    expected = rows[:4] * np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(found.summaries[0].arrays["weight"].reshape(4, 3), expected, atol=1e-5)


@pytest.fixture(scope="module")
def tumours():
    return agnostic.load("breast-cancer", device="cpu"), agnostic.models.sample("breast_cancer")


def test_the_rows_of_a_table_are_summed_up_by_column(tumours):
    model, table = tumours
    found = agnostic.summarize(model, table, "kernelshap", "malignant", samples=100)
    (summary,) = found.summaries
    assert len(summary.meta["samples"]) == 20
    assert "worst radius" in summary.identities and len(summary.identities) == 30
    third = agnostic.explain(model, table, "kernelshap", "malignant", row=3, samples=100)
    mine = summary.arrays["sample"] == 3
    held = dict(zip(summary.arrays["feature"][mine], summary.arrays["weight"][mine], strict=True))
    expected = dict(zip(third.meta["feature_names"], third.weights, strict=True))
    for number, weight in held.items():
        assert weight == pytest.approx(expected[summary.identities[number]], abs=1e-5)
    numbers = dict(zip(third.meta["feature_names"], third.meta["shown"]["numbers"], strict=True))
    values = dict(zip(summary.arrays["feature"][mine], summary.arrays["value"][mine], strict=True))
    assert values[summary.identities.index("mean radius")] == pytest.approx(numbers["mean radius"], rel=1e-6)


def test_right_answers_may_be_a_column_of_the_table(tumours):
    model, table = tumours
    found = agnostic.summarize(model, table, "permutation_importance", "malignant", truth="diagnosis", repeats=2)
    assert found.summaries[0].meta["accuracy"] >= 0.9
    with pytest.raises(UsageError, match="unknown column of right answers 'diagnosys'; did you mean 'diagnosis'"):
        agnostic.summarize(model, table, "permutation_importance", truth="diagnosys")


def test_trees_are_asked_about_columns_too(tumours):
    _, table = tumours
    model = agnostic.load("breast-cancer-trees", device="cpu")
    (summary,) = agnostic.summarize(model, table, "ice", "malignant", only=("worst area",), rows=10).summaries
    curves = summary.arrays["curves"][0].astype(np.float64)
    assert summary.arrays["mean"][0, -1] > summary.arrays["mean"][0, 0]
    np.testing.assert_allclose(summary.arrays["mean"][0], curves.mean(axis=0), atol=1e-6)


def test_the_seed_and_the_batch_size_hold(linear, rows):
    model = linear([[2.0, 1.0], [1.0, 0.0], [0.5, 1.0]])
    one, same = (agnostic.summarize(model, rows, "lime", 0, samples=50, seed=3, batch_size=size) for size in (4, 64))
    np.testing.assert_allclose(one.summaries[0].arrays["weight"], same.summaries[0].arrays["weight"], atol=1e-5)
    other = agnostic.summarize(model, rows, "lime", 0, samples=50, seed=4)
    assert np.abs(one.summaries[0].arrays["weight"] - other.summaries[0].arrays["weight"]).max() > 1e-6


def test_progress_counts_inputs(linear, rows):
    steps = []
    agnostic.summarize(linear(np.ones((3, 2))), rows, "kernelshap", 0, progress=lambda *step: steps.append(step))
    assert steps == [(number, 12) for number in range(1, 13)]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"method": "pdq"}, UsageError, "unknown method 'pdq'; did you mean 'pdp'"),
        ({"method": "lime", "truth": [1]}, UsageError, "drop --truth, or take permutation_importance"),
        ({"method": "lime", "clusters": 2}, UsageError, "names of their own; drop --clusters"),
        ({"method": "lime", "repeats": 2}, UsageError, "unknown option of lime 'repeats'"),
        ({"method": "lime", "target": "each", "samples": 0}, UsageError, "--samples 0"),
        ({"method": "pdp", "timeout": 1e-9}, LimitError, "time limit"),
    ],
)
def test_what_makes_no_sense_is_refused(linear, rows, options, error, said):
    with pytest.raises(error, match=said):
        agnostic.summarize(linear(np.ones((3, 2))), rows, **{"target": 0, **options})


def test_too_many_classes_are_no_summary(squeezenet_model, cat_and_coffee):
    with pytest.raises(UsageError, match="the model has 1000 classes, expected 1 to 50; name some"):
        agnostic.summarize(squeezenet_model, [cat_and_coffee], "normlime", "each", clusters=2)


def test_nothing_given_and_nothing_usable_is_said(linear, tmp_path):
    model = linear(np.ones((3, 2)))
    with pytest.raises(InputError, match="no input was given"):
        agnostic.summarize(model, [])
    with pytest.raises(InputError, match="no picture in this folder"):
        agnostic.summarize(model, tmp_path)
    with pytest.raises(InputError, match="none of 2 inputs could be used"):
        agnostic.summarize(model, [np.zeros(4, np.float32), np.zeros(5, np.float32)], "lime", 0)

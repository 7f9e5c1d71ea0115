import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from agnostic import Summary
from agnostic.summary.priors import Prior


@pytest.fixture
def rows(place):
    """A linear model of three columns with two classes, and twenty rows for it."""
    weights = np.array([[2, -2], [1, 0], [0, 1]], np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (place / "rows.onnx").write_bytes(model.SerializeToString())
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    np.save(place / "rows.npy", x)
    (place / "truth.txt").write_text("\n".join(str(item) for item in (x @ weights).argmax(axis=1)))
    return x


def test_tables_figures_records_and_a_prior_are_written(agnostic, rows, place):
    status, out, _ = agnostic("summarize", "rows.onnx", "rows.npy", "-m", "kernelshap", "-t", "0", "--out", "o")
    assert status == 0
    names = {file.name for file in (place / "o").iterdir()}
    start = "summary.kernelshap"
    assert names == {*(f"{start}.class-0.{end}" for end in ("csv", "png", "safetensors")), f"{start}.prior.json"}
    loaded = Summary.load(place / "o" / f"{start}.class-0.safetensors")
    assert loaded.rows()[0]["size"] == pytest.approx(np.abs(2 * rows[:, 0]).mean(), rel=1e-4)
    assert set(Prior.load(place / "o" / f"{start}.prior.json").average) == {"class 0"}
    assert out.index("feature 0") < out.index("feature 1") < out.index("feature 2")


def test_json_is_one_object_with_the_tables(agnostic, rows):
    status, out, _ = agnostic(
        "summarize", "rows.onnx", "rows.npy", "-m", "permutation_importance", "--truth", "truth.txt", "--repeats", "2",
        "--json",
    )  # fmt: skip
    report = json.loads(out)
    assert status == 0
    assert report["summaries"][0]["meta"]["accuracy"] == 1.0
    assert report["summaries"][0]["features"][0]["feature"] == "feature 0"
    assert report["failed"] == {}


def test_a_prior_is_leant_on_by_explain(agnostic, rows, place):
    assert agnostic("summarize", "rows.onnx", "rows.npy", "-m", "normlime", "-t", "0")[0] == 0
    np.save(place / "one.npy", rows[3])
    arguments = ("explain", "rows.onnx", "one.npy", "-m", "glime", "-t", "0", "--prior", "summary.normlime.prior.json")
    status, out, _ = agnostic(*arguments, "--json")
    assert status == 0
    assert json.loads(out)["items"][0]["explanations"][0]["prior_features"] == 3


def test_pictures_that_cannot_be_read_give_status_1(agnostic, place):
    status, _, err = agnostic(
        "summarize", "squeezenet", "small.png", "text.png", "-m", "occlusion", "--by", "segments", "-t", "tabby",
        "--features", "grid:2", "--clusters", "2",
    )  # fmt: skip
    assert status == 1
    assert "text.png" in err


def test_methods_of_data_sets_are_listed_and_described(agnostic):
    listed = agnostic("methods")[1]
    assert all(name in listed for name in ("pdp", "ice", "permutation_importance", "sobol", "normlime"))
    assert "--repeats" in agnostic("methods", "permutation_importance")[1]
    described = json.loads(agnostic("methods", "ice", "--json")[1])
    assert described["needs"] == ["data set"]


def test_consensus_is_written_and_said(agnostic, place):
    status, out, _ = agnostic(
        "explain",
        "good.onnx",
        "small.png",
        "--consensus",
        "good.onnx",
        "-m",
        "occlusion",
        "-t",
        "0",
        "-t",
        "1",
        "--json",
    )
    (item,) = json.loads(out)["items"]
    assert status == 0
    assert [found["target"] for found in item["consensus"]] == ["class 0", "class 1"]
    assert all(model["agreement"] == pytest.approx(1) for model in item["consensus"][0]["models"])
    assert (place / "small.consensus.occlusion.class-0.png").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("rows.onnx",), 2, "no input was given; expected several files"),
        (("rows.onnx", "rows.npy", "-m", "pdpp"), 2, "did you mean 'pdp'"),
        (("rows.onnx", "rows.npy", "-m", "pdp", "--repeats", "3"), 2, "unknown option '--repeats'"),
        (("rows.onnx", "rows.npy", "-m", "pdp", "--only", "age"), 2, "unknown feature 'age'"),
        (("rows.onnx", "rows.npy", "-m", "permutation_importance", "--truth", "price"), 2, "column of right answers"),
        (("rows.onnx", "nothing.npy"), 4, "cannot be read as an array"),
        (("good.onnx", "small.png", "-m", "lime"), 2, "give --clusters N"),
        (("good.onnx", "small.png", "-m", "pdp"), 2, "says nothing of others"),
        (("nan.onnx", "small.png", "-m", "lime"), 4, "not finite"),
    ],
)
def test_bad_lines_give_one_clear_line(agnostic, rows, arguments, status, said):
    found, out, err = agnostic("summarize", *arguments, "--quiet")
    assert (found, out) == (status, "")
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("-m", "pdp"), 2, "agnostic summarize MODEL INPUT... --method pdp"),
        (("-m", "glime"), 2, "glime needs a prior: --prior FILE"),
        (("-m", "glime", "--prior", "nothing.json"), 4, "cannot be read: no such file"),
        (("-m", "glime", "--prior", "text.png"), 4, "not JSON"),
        (("-m", "sobol", "--designs", "3"), 2, "--designs 3: expected a power of two"),
        (("-m", "hsic", "--cells", "-2"), 2, "--cells -2"),
        (("--consensus", "missing.onnx"), 3, "missing.onnx"),
    ],
)
def test_bad_lines_of_explain_too(agnostic, place, arguments, status, said):
    found, out, err = agnostic("explain", "good.onnx", "small.png", *arguments, "-t", "0", "--quiet")
    assert (found, out) == (status, "")
    assert said in err and err.count("\n") == 1

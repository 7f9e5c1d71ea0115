"""What kind of answer a model gives: found where the graph says so, declared where it does not."""

import json
from typing import Any

import numpy as np
import pytest
from onnx import helper

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import UsageError

LINE = "g (float[n,4] x) => (float[n,3] y) { y = MatMul(x, w) }"
HEADS = """
g (float[n,4] x) => (float[n,1] age, float[n,3] mood, float[n,2] kind) {
    age = MatMul(x, a) z = MatMul(x, w) mood = Softmax(z) kind = MatMul(x, b)
}
"""
WEIGHTS = {
    "w": np.eye(4, 3, dtype=np.float32),
    "a": np.full((4, 1), 2, np.float32),
    "b": np.eye(4, 2, 1, dtype=np.float32),
}
DECLARED = {
    "outputs": {
        "age": {"kind": "regression", "unit": "years"},
        "mood": {"labels": ["calm", "angry", "red"]},
        "kind": {"kind": "labels", "labels": ["red", "blue"]},
    }
}


@pytest.fixture(scope="module")
def heads(opened: Any) -> Model:
    model: Model = opened(HEADS, WEIGHTS, answer=DECLARED)
    return model


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (LINE, "classes"),
        ("g (float[n,4] x) => (float[n,3] y) { z = MatMul(x, w) y = Softmax(z) }", "classes"),
        ("g (float[n,4] x) => (float[n,3] y) { z = MatMul(x, w) y = Sigmoid(z) }", "labels"),
        ("g (float[n,4] x) => (float[n,1] y) { z = MatMul(x, a) y = Sigmoid(z) }", "classes"),
        ("g (float[n,3,8,8] x) => (float[n,3,8,8] y) { y = Softmax<axis=1>(x) }", "segmentation"),
        ("g (float[n,3,8,8] x) => (int64[n,8,8] y) { y = ArgMax<axis=1,keepdims=0>(x) }", "classes"),
        ("g (float[n,3,8,8] x) => (float[n,3,8,8] y) { y = Relu(x) }", "classes"),
        ("g (float[n,3,1,1] x) => (float[n,3,1,1] y) { y = Softmax<axis=1>(x) }", "classes"),
    ],
)
def test_what_the_graph_says(opened: Any, text: str, kind: str) -> None:
    assert opened(text, WEIGHTS).answer.kind == kind


def test_labels_tell_a_map_of_classes(opened: Any) -> None:
    text = "g (float[n,3,8,8] x) => (float[n,3,8,8] y) { y = Relu(x) }"
    metadata = {"agnostic.labels": '["sky", "road", "car"]'}
    assert opened(text, metadata=metadata).answer.kind == "segmentation"


def test_a_regressor_is_one() -> None:
    attributes = {"coefficients": [1.0, 2.0], "intercepts": [0.5]}
    node = helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    ends = [helper.make_tensor_value_info(*end) for end in (("x", 1, ["n", 2]), ("y", 1, ["n", 1]))]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)]
    proto = helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=opsets, ir_version=8)
    assert agnostic.load(proto, device="cpu").answer.kind == "regression"


def test_several_outputs_are_said_to_be_there(opened: Any) -> None:
    (note,) = opened(HEADS, WEIGHTS).notes
    assert note.startswith("the model has 3 outputs of numbers; 'age' is taken for its answer: name others as mood:0")
    assert opened(HEADS, WEIGHTS, answer={"kind": "classes", "output": "mood"}).notes == ()
    assert opened(HEADS, WEIGHTS, answer={"kind": "classes", "output": "mood"}).scores_tensor == "z"


@pytest.mark.parametrize(
    ("text", "name", "key"),
    [
        ("calm", "mood:calm", "z[0]"),
        ("blue", "kind:blue", "kind[1]"),
        ("mood:red", "mood:red", "z[2]"),
        ("kind:red", "kind:red", "kind[0]"),
        ("mood:1", "mood:angry", "z[1]"),
        ("age:0", "age:0", "age[0]"),
        ("age[0]", "age:0", "age[0]"),
        ("mood[1]", "mood[1]", "mood[1]"),  # the output itself, behind its softmax
        ("z:1", "z:1", "z[1]"),
        ("angry - calm", "mood:angry - mood:calm", "z[1] - z[0]"),
        ("mood:angry - 2*age:0", "mood:angry - 2*age:0", "z[1] - 2*age[0]"),
    ],
)
def test_targets_of_several_outputs(heads: Model, text: str, name: str, key: str) -> None:
    target = heads.target(text)
    assert (target.name, target.key) == (name, key)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("red", "names something in several outputs; give one of mood:red, kind:red"),
        ("1", "the target 1 counts in several outputs; give one of age:1, mood:1, kind:1"),
        ("mood:angri", "unknown class of 'mood' 'angri'; did you mean 'angry'"),
        ("mood", "is a whole tensor; name a unit of it: mood:0"),
        ("age:1", "'age' has the units 0 to 0, not 1"),
        ("box:0", "needs a model that answers with boxes"),
        ("like:a.png", "needs a model that answers with an embedding"),
        ("calm@mask", "needs a model that answers with a class at every place"),
    ],
)
def test_ambiguous_and_misplaced_names_are_refused(heads: Model, text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        heads.target(text)
    assert says in str(error.value)


def test_what_depends_on_the_input_is_for_explain(opened: Any) -> None:
    text = "g (float[n,4] x) => (float[n,3] e) { e = MatMul(x, w) }"
    model = opened(text, WEIGHTS, answer={"kind": "embedding"})
    with pytest.raises(UsageError, match=r"'like:a\.png' depends on the input: give it to explain"):
        model.target("like:a.png")


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"kind": "boxs"}, "kind='boxs': expected one of classes, labels, regression, segmentation, embedding, boxes"),
        ({}, "kind=None"),
        ({"kind": "classes", "layout": "yolov8"}, "unknown key of [answer] of kind 'classes' 'layout'"),
        ({"kind": "regression", "output": "z"}, "[answer] output: unknown output 'z'"),
        ({"kind": "regression", "output": 3}, "output=3: expected the name of an output"),
        ({"kind": "classes", "unit": "kg"}, "unit: only a regression has it; this is of kind 'classes'"),
        ({"kind": "regression", "unit": 3}, "unit=3: expected a word or a list of words"),
        ({"kind": "embedding", "distance": "manhattan"}, "distance='manhattan': expected one of cosine, euclidean"),
        ({"kind": "segmentation", "background": "sky"}, "background='sky': expected the number of a class"),
        ({"outputs": ["age"]}, "expected a table for each output, such as [answer.outputs.NAME]"),
        ({"outputs": {"agee": {}}}, "unknown output 'agee'; did you mean 'age'"),
        ({"outputs": {"age": {"kind": "boxes"}}}, "[answer.outputs.age] kind='boxes': expected one of classes, labels"),
        ({"outputs": {"age": {"units": "years"}}}, "did you mean 'unit'"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused_at_once(opened: Any, declared: Any, says: str) -> None:
    with pytest.raises(UsageError) as error:
        opened(HEADS, WEIGHTS, answer=declared)
    assert says in str(error.value)


def test_the_metadata_declare_and_an_embedding_may_be_a_layer(opened: Any) -> None:
    text = "g (float[n,4] x) => (float[n,3] y) { z = MatMul(x, w) h = Relu(z) y = MatMul(h, v) }"
    declared = json.dumps({"kind": "embedding", "output": "h", "distance": "euclidean"})
    model = opened(text, {**WEIGHTS, "v": np.eye(3, dtype="f4")}, metadata={"agnostic.answer": declared})
    assert (model.answer.kind, model.answer.distance, model.scores_tensor) == ("embedding", "euclidean", "h")
    with pytest.raises(UsageError, match="name what it is compared with as like:FILE, or one of its numbers as h:0"):
        model.target("0")
    assert model.target("h:2").key == "h[2]"


def test_the_scores_behind_a_choice_are_explained(opened: Any) -> None:
    text = "g (float[n,3,8,8] x) => (int64[n,1,8,8] y) { z = Relu(x) p = Softmax<axis=1>(z) y = ArgMax<axis=1>(p) }"
    model = opened(text, answer={"kind": "segmentation"})
    assert model.scores_tensor == "z"
    assert (model.names.class_axis, model.names.class_count) == (0, 3)

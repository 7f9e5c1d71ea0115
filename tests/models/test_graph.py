"""The writer makes valid graphs with the names it was given, and the same bytes every time."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from agnostic.models.graph import GraphWriter, describe, imagenet_labels, to_bytes


def halved() -> onnx.ModelProto:
    graph = GraphWriter()
    weight, bias = np.array([[0.5, 0.0], [0.0, 0.5]], np.float32), np.array([1, -1], np.float32)
    hidden = graph.linear("Gemm", "x", "half", weight, bias, "half/pre")
    graph.op("Clip", [hidden, graph.weight("low", np.array(0, np.float32))], "half")
    return graph.model("halved", {"x": ["batch", 2]}, {"half": ["batch", 2]})


def test_a_written_graph_computes_what_it_says() -> None:
    model = halved()
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(to_bytes(model), providers=["CPUExecutionProvider"])
    x = np.array([[4, 6], [-4, 0]], np.float32)
    np.testing.assert_array_equal(session.run(["half"], {"x": x})[0], [[3, 2], [0, 0]])


def test_parts_are_named_after_their_layer() -> None:
    model = halved()
    assert [node.name for node in model.graph.node] == ["half/pre", "half"]
    assert [tensor.name for tensor in model.graph.initializer] == ["half/weight", "half/bias", "low"]
    assert [list(tensor.dims) for tensor in model.graph.initializer] == [[2, 2], [2], []]


def test_equal_models_give_equal_bytes() -> None:
    assert to_bytes(halved()) == to_bytes(halved())


def test_a_description_can_be_read_back() -> None:
    model = describe(halved(), "halves", {"channels": "RGB"})
    stated = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
    assert (model.doc_string, stated["agnostic.preprocess"]) == ("halves", {"channels": "RGB"})
    assert stated["agnostic.labels"] == imagenet_labels()


@pytest.mark.parametrize(
    ("index", "name"),
    [(0, "tench, Tinca tinca"), (285, "Egyptian cat"), (504, "coffee mug"), (967, "espresso")],
)
def test_class_names_stand_in_the_order_of_the_logits(index: int, name: str) -> None:
    assert imagenet_labels()[index] == name


def test_there_is_one_name_for_each_logit() -> None:
    names = imagenet_labels()
    assert len(names) == 1000
    assert all(name.strip() == name != "" for name in names)

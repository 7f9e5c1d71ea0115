"""The embedding of an input's tokens, told from those of places and types, however it is written."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from agnostic import models
from agnostic.converters.embedding import embedding_of

Build = Callable[..., ModelProto]
TABLE = np.ones((7, 3), np.float32)


def found(graph: Build, body: str, source: str = "ids", inputs: str = "int64[n,t] ids", **weights: Any) -> str | None:
    proto = graph(f"g ({inputs}) => (float[n,t,3] y) {{ {body} }}", {"table": TABLE, **weights})
    return embedding_of(proto, source)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("e = Gather(table, ids) y = Relu(e)", "e"),
        ("i = Cast<to=6>(ids) e = Gather(table, i) y = Relu(e)", "e"),
        ("c = Constant<value_floats=[1.0, 2.0]>() t = Unsqueeze(c, one) e = Gather(t, ids) y = Relu(e)", None),
        ("s = Shape(ids) i = Reshape(ids, flat) r = Gather(table, i) e = Reshape(r, rows) y = Relu(e)", "e"),
        ("o = OneHot(ids, depth, ends) y = MatMul(o, table)", None),
        ("f = Cast<to=1>(ids) e = Unsqueeze(f, two) y = Mul(e, three)", None),
        ("y = Gather(table, ids)", "y"),
    ],
)
def test_it_is_found_behind_casts_and_changes_of_shape(graph: Build, body: str, name: str | None) -> None:
    more = {
        "flat": np.array([-1]), "rows": np.array([-1, 5, 3]), "depth": np.array(7), "one": np.array([1]),
        "two": np.array([2]), "ends": np.array([0, 1], np.float32), "three": np.ones(3, np.float32),
    }  # fmt: skip
    assert found(graph, body, **more) == name


def test_places_and_types_are_other_embeddings(graph: Build) -> None:
    body = """words = Gather(table, ids)  kinds = Gather(types, segments)  size = Shape<start=1, end=2>(ids)
        places = Slice(positions, zero, size, zero)  a = Add(words, kinds)  y = Add(a, places)"""
    weights = {"types": TABLE[:2], "positions": TABLE, "zero": np.array([0])}
    inputs = "int64[n,t] ids, int64[n,t] segments"
    assert found(graph, body, inputs=inputs, **weights) == "words"
    assert found(graph, body, source="segments", inputs=inputs, **weights) == "kinds"


def test_two_tables_of_one_input_are_no_single_embedding(graph: Build) -> None:
    assert found(graph, "a = Gather(table, ids) b = Gather(other, ids) y = Add(a, b)", other=2 * TABLE) is None


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("w = DequantizeLinear(bytes, scale) e = Gather(w, ids) y = Relu(e)", "e"),
        ("b = Gather(bytes, ids) e = DequantizeLinear(b, scale) y = Relu(e)", "e"),
    ],
)
def test_a_table_of_bytes_is_followed_to_its_numbers(graph: Build, body: str, name: str) -> None:
    assert found(graph, body, bytes=np.ones((7, 3), np.int8), scale=np.float32(0.5)) == name


def test_a_table_that_an_input_makes_is_none(graph: Build) -> None:
    inputs = "int64[n,t] ids, float[7,3] given"
    assert found(graph, "e = Gather(given, ids) y = Relu(e)", inputs=inputs) is None


@pytest.mark.parametrize(
    ("name", "source", "tensor"),
    [("sentiment-cnn", "ids", "embedding"), ("minilm-sentiment", "input_ids", "embedding/word")],
)
def test_real_models_have_theirs(name: str, source: str, tensor: str) -> None:
    import agnostic

    assert embedding_of(agnostic.load(models.path(name)).proto, source) == tensor

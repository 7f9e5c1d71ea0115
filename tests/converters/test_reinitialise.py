import numpy as np
import pytest
from onnx import numpy_helper

from agnostic.converters.reinitialise import shuffled, weights
from agnostic.errors import UsageError

TEXT = "g (float[n,3] x) => (float[n,2] y) { h = Gemm(x, w1, b)  a = Relu(h)  y = MatMul(a, w2) }"


def numbers(proto, name):
    return next(numpy_helper.to_array(item) for item in proto.graph.initializer if item.name == name)


@pytest.fixture
def proto(graph):
    given = {"w2": np.arange(8, dtype=np.float32).reshape(4, 2), "w1": np.arange(12, dtype=np.float32).reshape(3, 4)}
    return graph(TEXT, {**given, "b": np.arange(4, dtype=np.float32)})


def test_weights_are_listed_in_the_order_of_their_use(proto):
    assert weights(proto) == ("w1", "w2")


def test_only_what_is_named_is_shuffled_and_nothing_is_lost(proto):
    found = shuffled(proto, ["w1"])
    assert not np.array_equal(numbers(found, "w1"), numbers(proto, "w1"))
    assert sorted(numbers(found, "w1").ravel()) == sorted(numbers(proto, "w1").ravel())
    assert numbers(found, "w1").shape == (3, 4)
    np.testing.assert_array_equal(numbers(found, "w2"), numbers(proto, "w2"))


def test_the_order_depends_on_seed_and_name_alone(proto):
    one, both = shuffled(proto, ["w2"], 7), shuffled(proto, ["w1", "w2"], 7)
    np.testing.assert_array_equal(numbers(one, "w2"), numbers(both, "w2"))
    assert not np.array_equal(numbers(one, "w2"), numbers(shuffled(proto, ["w2"], 8), "w2"))


def test_an_unknown_weight_is_an_error(proto):
    with pytest.raises(UsageError, match="unknown initialiser 'w3'"):
        shuffled(proto, ["w3"])

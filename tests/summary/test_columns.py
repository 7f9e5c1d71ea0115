from dataclasses import dataclass, replace

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.array import array_sample
from agnostic.inputs.features import NumericFeatures
from agnostic.summary.columns import Swap, columns_of


def test_only_the_entries_of_the_feature_are_swapped(named, additive, table):
    columns = columns_of(additive, named(additive, table))
    swap = Swap(np.array([0, 1]), np.array([1, 2]), np.array([5, 6]))
    made = columns.swapped(swap)["x"]
    np.testing.assert_array_equal(made[0], [table[0, 0], table[5, 1], table[0, 2]])
    np.testing.assert_array_equal(made[1], [table[1, 0], table[1, 1], table[6, 2]])
    assert columns.at("income") == 1
    assert len(columns) == 60


@dataclass(frozen=True)
class TwoInputs(NumericFeatures):
    """Features whose entries lie in two inputs, one of numbers and one of integers, as those of mixed tables do."""

    @property
    def inputs(self):
        return {"x": np.float32, "k": np.int64}

    def __post_init__(self):
        """Its labels run over both inputs."""


def test_columns_of_two_inputs_of_other_types(opened):
    model = opened(
        "g (float[n,2] x, int64[n,1] k) => (float[n,1] y) "
        "{ f = Cast <to = 1> (k)  a, b = Split <axis = 1> (x)  s = Add(a, b)  y = Add(s, f) }"
    )
    names = ("a", "b", "k")

    def row(x, k):
        sample = array_sample(model, {"x": np.array(x, np.float32), "k": np.array([k])})
        plain = sample.features
        features = TwoInputs(
            source="x", x=plain.x, fill=plain.fill, view=plain.view, labels=np.arange(3, dtype=np.int32), names=names,
            identities=names,
        )  # fmt: skip
        return replace(sample, features=features, shown={"numbers": [*x, k], "values": [*"abc"]})

    columns = columns_of(model, [row([1.0, 2.0], 3), row([10.0, 20.0], 30)])
    swap = Swap(np.array([0, 0]), np.array([2, 0]), np.array([1, 1]))
    made = columns.swapped(swap)
    assert made["k"].dtype == np.int64
    np.testing.assert_array_equal(made["k"], [[30], [3]])
    np.testing.assert_array_equal(made["x"], [[1, 2], [10, 2]])
    ((start, stop, scores),) = columns.scores((model.target(0),), 2, lambda start, stop: swap)
    assert (start, stop) == (0, 2)
    np.testing.assert_allclose(scores[:, 0], [33, 15])


def test_samples_with_other_columns_are_refused(named, additive, table):
    mixed = [*named(additive, table[:1]), *named(additive, table[1:2], names=("age", "size", "code"))]
    with pytest.raises(UsageError, match="no columns that other inputs have too"):
        columns_of(additive, mixed)

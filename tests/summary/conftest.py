"""Data sets whose summaries are known: arrays with named columns on models that are written down."""

from dataclasses import replace

import numpy as np
import pytest

import agnostic
from agnostic.inputs.array import array_sample


@pytest.fixture(scope="session")
def table():
    """Sixty rows of three columns, the last of which is one of three codes."""
    random = np.random.default_rng(5)
    return np.column_stack([random.normal(size=60), random.uniform(-2, 2, 60), random.integers(0, 3, 60)]).astype(
        np.float32
    )


@pytest.fixture(scope="session")
def additive(opened):
    """Score: 2 a - b^2 + a constant; the third column counts for nothing."""
    return opened(
        "g (float[n,3] x) => (float[n,1] y) { a, b, c = Split <axis = 1> (x)"
        "  s = Mul(b, b)  d = Add(a, a)  e = Sub(d, s)  y = Add(e, k) }",
        {"k": np.float32(3)},
    )


@pytest.fixture(scope="session")
def crossed(opened):
    """Score: a b."""
    return opened("g (float[n,3] x) => (float[n,1] y) { a, b, c = Split <axis = 1> (x)  y = Mul(a, b) }")


@pytest.fixture(scope="session")
def named():
    """Samples of arrays under the names of their columns, as a table's are."""

    def build(model, rows, names=("age", "income", "code"), words=None):
        samples = []
        for number, row in enumerate(rows):
            sample = array_sample(model, {"x": row}, name=f"row {number}")
            shown = {
                "numbers": [None if words else float(v) for v in row],
                "values": [words(v) if words else f"{v:g}" for v in row],
            }
            features = replace(sample.features, identities=tuple(names), names=tuple(names))
            samples.append(replace(sample, features=features, shown=shown))
        return samples

    return build


@pytest.fixture(scope="session")
def summary(additive, table):
    return agnostic.summarize(additive, table, "kernelshap", 0).summaries[0]

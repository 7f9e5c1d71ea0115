import numpy as np
import pytest

from agnostic.converters.tables import table_sizes

TABLES = {"words": np.zeros((30, 4), np.float32), "kinds": np.zeros((2, 4), np.float32)}


def sizes(graph, body, **more):
    text = f"g (int64[n,5] ids, float[n,5] x) => (float[n,5,4] y) {{ {body} }}"
    return table_sizes(graph(text, {**TABLES, **more}).graph)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("y = Gather(words, ids)", 30),
        ("c = Cast <to = 6> (ids) u = Identity(c) y = Gather(words, u)", 30),
        ("a = Gather(words, ids) b = Gather(kinds, ids) y = Add(a, b)", 2),
        ("s = Shape(ids) y = Gather(words, ids)", 30),
    ],
)
def test_the_smallest_table_counts(graph, body, rows):
    assert sizes(graph, body) == {"ids": rows}


def test_the_axis_is_the_one_that_is_looked_up(graph):
    assert sizes(graph, "t = Gather <axis = 1> (wide, ids) y = Identity(t)", wide=np.zeros((4, 7), np.float32)) == {
        "ids": 7
    }


@pytest.mark.parametrize(
    "body",
    [
        "t = Identity(words) y = Gather(t, ids)",  # of unknown size
        "a = Gather(words, ids) b = Gather(x, ids) y = Add(a, b)",  # one of two is
        "m = Cast <to = 1> (ids) y = Unsqueeze(m, last)",  # a mask
    ],
)
def test_what_is_not_known_is_left_out(graph, body):
    assert sizes(graph, body, last=np.array([2])) == {}

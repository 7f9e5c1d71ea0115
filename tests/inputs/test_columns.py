import json
from collections.abc import Callable
from typing import Any

import pytest

from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.columns import columns_of

Open = Callable[..., Model]
ONE = "g (float[n,4] x) => (float[n,4] y) { y = Identity(x) }"
MANY = "g (float[n,1] age, string[n,1] sex, int64[n,1] class) => (float[n,1] y) { y = Identity(age) }"


def declared(opened: Open, text: str, **section: Any) -> Model:
    return opened(text, metadata={"agnostic.table": json.dumps(section)})


def test_names_alone_are_numbers_in_order(opened: Open) -> None:
    found = columns_of(declared(opened, ONE, columns=["a", "b", "c", "d"]), None, 4)
    assert [(c.name, c.kind, c.input, c.places) for c in found.columns] == [
        (name, "number", "x", (at,)) for at, name in enumerate("abcd")
    ]
    assert found.declared and not found.missing and found.inputs == ("x",)


def test_one_hot_and_ordinal_categories_and_groups(opened: Open) -> None:
    columns = [
        {"name": "size", "categories": ["S", "M"], "off": "M"},
        {"name": "age", "type": "number", "index": 3, "off": 4},
        {"name": "colour", "type": "category", "categories": ["red", "blue"], "index": [2, 1]},
    ]
    found = columns_of(declared(opened, ONE, columns=columns, groups={"look": ["size", "colour"]}), None, 3)
    assert [(c.kind, c.places, c.off) for c in found.columns] == [
        ("category", (0,), "M"),
        ("number", (3,), 4.0),
        ("category", (2, 1), None),
    ]
    assert found.groups == {"look": ("size", "colour")}


def test_inputs_of_one_entry_each_are_columns(opened: Open) -> None:
    found = columns_of(opened(MANY), ["sex", "age", "class"], 3)
    assert [(c.name, c.kind, c.input) for c in found.columns] == [
        ("age", "number", "age"),
        ("sex", "category", "sex"),
        ("class", "number", "class"),
    ]
    assert not found.declared


def test_a_header_names_what_the_model_does_not(opened: Open) -> None:
    assert columns_of(opened(ONE), ["p", "q", "r", "s"], 4).names == ("p", "q", "r", "s")
    assert columns_of(opened(ONE), None, 4).names == ("column 0", "column 1", "column 2", "column 3")


def test_what_cannot_be_concluded_is_asked_for(opened: Open) -> None:
    with pytest.raises(InputError, match=r"has 4 columns, the table 5; leave out those it does not eat"):
        columns_of(opened(ONE), ["a", "b", "c", "d", "label"], 5)
    with pytest.raises(UsageError, match=r"input x float32 \[n, 4\] holds several columns beside other inputs"):
        columns_of(opened("g (float[n,4] x, float[n,1] z) => (float[n,4] y) { y = Add(x, z) }"), None, 5)
    with pytest.raises(InputError, match="holds no rows of columns"):
        columns_of(opened("g (float[n,3,8,8] x) => (float[n,3,8,8] y) { y = Identity(x) }"), None, 3)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"columns": ["a"], "colums": []}, "unknown key 'colums'"),
    ({}, "expected a list of names"),
    ({"columns": "abcd"}, "expected a list of names"),
    ({"columns": ["a", "b", "c", 4]}, "expected a name for each"),
    ({"columns": ["a", "b", "c"]}, "fill 3 entries of the input x"),
    ({"columns": ["a", "b", "c", {"name": "d", "index": 2}]}, "expected each one once"),
    ({"columns": ["a", "b", "c", "a"]}, "'a' is there twice"),
    ({"columns": [{"name": "a", "index": [0, 1], "categories": ["p", "q", "r"]}]}, "2 entries for 3 categories"),
    ({"columns": [{"name": "a", "type": "category"}]}, "needs its categories"),
    ({"columns": [{"name": "a", "type": "date"}]}, "type 'date' does not go with it"),
    ({"columns": [{"name": "a", "input": "z"}]}, "expected an input of the model as its input: x"),
    ({"columns": [{"name": "a", "index": -1}]}, "expected a whole number from 0"),
    ({"columns": [{"name": "a", "index": True}]}, "expected a whole number from 0"),
    ({"columns": [{"name": "a", "off": "low"}]}, "off 'low': expected a number"),
    ({"columns": [{"name": "a", "categories": ["p", "q"], "off": "r"}]}, "expected one of its categories"),
    ({"columns": [{"name": "a", "categories": ["p", "p"]}]}, "a list of different words"),
    ({"columns": [*"abcd"], "missing": "yes"}, "missing: expected true or false"),
    ({"columns": [*"abcd"], "groups": {"g": ["a", "z"]}}, "groups: 'g': expected a list of names of columns"),
    ({"columns": [*"abcd"], "groups": {"g": ["a"], "h": ["a", "b"]}}, "'a' is in two of them"),
    ({"columns": [*"abcd"], "groups": 3}, "groups"),
]


@pytest.mark.parametrize(("section", "says"), BAD)
def test_declarations_that_make_no_sense_name_the_key(opened: Open, section: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        columns_of(declared(opened, ONE, **section), None, 4)

import pytest
import torch

from agnostic.converters.torch_import.graph import Graph
from agnostic.converters.torch_import.step import Step
from agnostic.errors import ItemError, UsageError


def step(name: str, function: object, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Step:
    return Step(name, ("", name), function, inputs, outputs, {}, ())  # type: ignore[arg-type]


@pytest.fixture
def graph() -> Graph:
    """x → halve → (a, b) → add → y"""
    steps = [
        step("halve", lambda x: (x / 2, x / 2 + 1), ("x",), ("a", "b")),
        step("add", lambda a, b, k: a + b + k, ("a", "b", "k"), ("y",)),
    ]
    return Graph(steps, {"k": torch.tensor(10.0)}, ["x"], ["y"])


def test_what_is_given_is_not_computed_over(graph: Graph) -> None:
    values = graph.run({"x": torch.tensor(4.0), "a": torch.tensor(100.0)}, ["y", "a"])
    assert values["y"].item() == 100 + 3 + 10
    assert values["a"].item() == 100


def test_inputs_and_constants_can_be_outputs(graph: Graph) -> None:
    values = graph.run({"x": torch.tensor(4.0)}, ["x", "k", "y"])
    assert [values[name].item() for name in ("x", "k", "y")] == [4, 10, 15]


def test_plans_are_made_once(graph: Graph) -> None:
    assert graph.plan({"x"}, ["y"]) is graph.plan({"x"}, ["y"])


def test_a_subgraph_sees_its_surroundings() -> None:
    inner = Graph([step("mul", torch.mul, ("i", "outside"), ("o",))], {}, ["i"], ["o"])
    assert inner.free == ("outside",)
    (result,) = inner.call({"outside": torch.tensor(3.0)}, torch.tensor(2.0))
    assert result.item() == 6


def test_absent_names_are_told_from_unfed_inputs(graph: Graph) -> None:
    with pytest.raises(UsageError, match="the input 'x' is needed"):
        graph.run({}, ["y"])
    with pytest.raises(UsageError, match="unknown tensor 'z'"):
        graph.run({"x": torch.tensor(1.0)}, ["z"])


def test_failures_name_their_node() -> None:
    graph = Graph([step("cat", torch.cat, ("x",), ("y",))], {}, ["x"], ["y"])
    with pytest.raises(ItemError, match=r"node 'cat' \(cat\) cannot be computed for inputs of shape \(2,\)"):
        graph.run({"x": torch.ones(2)}, ["y"])

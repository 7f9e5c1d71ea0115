"""The judge of the long suite, `tests/conformance/run_exports.py`, on small nets: what is right, refused, and wrong."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from agnostic.converters.normalise import normalise
from agnostic.converters.torch_import import to_torch
from agnostic.errors import ConversionError

_EXPORTS = str(Path(__file__).parents[2] / "conformance" / "exports")


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import modules of the long suite, which stand beside each other."""
    monkeypatch.syspath_prepend(_EXPORTS)
    yield import_module
    for name in [key for key, value in sys.modules.items() if str(getattr(value, "__file__", "")).startswith(_EXPORTS)]:
        del sys.modules[name]


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_estimate_is_the_gradient_of_the_graph_with_its_roundings_replaced(suite: Any, form: str) -> None:
    found = suite("judge").judge(suite("deployed").quantised("cnn", form))
    assert found.verdict == "right", found


def test_quantised_net_has_no_exact_gradient(suite: Any) -> None:
    found = suite("judge").judge(suite("deployed").refused("cnn"))
    assert found.verdict.startswith("refused: no gradient here")


def test_wrong_gradient_is_seen(suite: Any) -> None:
    artefact, judge = suite("deployed").optimised("vit", "EXTENDED"), suite("judge").judge
    first = artefact.samples[0]
    bent = first._replace(gradient=first.gradient + 1e-3 * abs(first.gradient).max())
    assert judge(artefact).verdict == "right"
    assert judge(artefact._replace(samples=(bent,))).verdict == "gradient differs"


def _chain(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_nodes_may_stand_in_any_order() -> None:
    # onnxruntime's float16 tool appends the casts of the inputs at the end.
    model = _chain(helper.make_node("Sin", ["a"], ["y"]), helper.make_node("Exp", ["x"], ["a"]))
    x = torch.randn(3, 2)
    torch.testing.assert_close(to_torch(model)(x), x.exp().sin())


def test_upgrade_that_fails_is_refused() -> None:
    model = _chain(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"))
    with pytest.raises(ConversionError, match="opset 20 cannot be upgraded"):
        normalise(model)

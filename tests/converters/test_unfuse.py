"""Fused attention written out gives what onnxruntime's own fused kernels give, and its shares a name."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.attention import attentions
from agnostic.converters.unfuse import closed, unfused
from agnostic.errors import ConversionError

MICROSOFT = "com.microsoft"
RANDOM = np.random.default_rng(0)
MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


X = {"x": floats(2, 5, 8)}
QKV = {name: floats(2, 5, 8) for name in "qkv"}
WEIGHT = {"w": floats(8, 24) * 0.5, "b": floats(24)}
BIAS = {"r": floats(1, 2, 5, 5)}


def model(
    op: str, inputs: str, feeds: dict[str, np.ndarray], weights: dict[str, np.ndarray], *, opset: int = 17,
    domain: str = MICROSOFT, **attributes: Any,
) -> onnx.ModelProto:  # fmt: skip
    """One fused node; `inputs` are names, `-` for one that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    values = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(value.dtype),
            ["n", *("t" if size == 5 else size for size in value.shape[1:])],
        )
        for name, value in feeds.items()
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], domain=domain, **attributes)],
        "g",
        values,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def run(proto: onnx.ModelProto, feeds: dict[str, np.ndarray], name: str = "y") -> np.ndarray:
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    if name != "y":
        copy.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnxruntime.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], feeds)[0]


CASES = {
    "packed": ("Attention", "x w b", X, WEIGHT, {}),
    "old opset": ("Attention", "x w b", X, WEIGHT, {"opset": 12}),
    "mask": ("Attention", "x w b m", X | {"m": MASK}, WEIGHT, {}),
    "mask, old opset": ("Attention", "x w b m", X | {"m": MASK}, WEIGHT, {"opset": 12}),
    "mask per row": ("Attention", "x w b m", X | {"m": np.tril(np.ones((2, 5, 5), np.int32))}, WEIGHT, {"scale": 0.3}),
    "causal": ("Attention", "x w b", X, WEIGHT, {"unidirectional": 1}),
    "relative": ("Attention", "x w b - - r", X, WEIGHT | BIAS, {}),
    "wide values": ("Attention", "x w b", X, {"w": floats(8, 28), "b": floats(28)}, {"qkv_hidden_sizes": [8, 8, 12]}),
    "separate": ("MultiHeadAttention", "q k v", QKV, {}, {}),
    "separate, biased, masked": ("MultiHeadAttention", "q k v b m", QKV | {"m": MASK}, WEIGHT, {}),
    "separate, causal, relative": ("MultiHeadAttention", "q k v - - r", QKV, BIAS, {"unidirectional": 1}),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_the_fused_kernel(case: str) -> None:
    op, inputs, feeds, weights, attributes = CASES[case]
    fused = model(op, inputs, feeds, weights, num_heads=2, **attributes)
    opened = unfused(fused)
    np.testing.assert_allclose(run(opened, feeds), run(fused, feeds), atol=2e-6)
    (found,) = attentions(opened)
    shares = run(opened, feeds, found.probabilities)
    assert shares.shape == (2, 2, 5, 5)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    if "mask" in case and "row" not in case:
        assert not shares[0, :, :, 3:].any()


@pytest.mark.parametrize("attributes", [{}, {"is_causal": 1}, {"scale": 0.4}, {"softcap": 2.0}])
@pytest.mark.parametrize("opset", [23, 24])
def test_the_standard_operator_is_written_out_by_its_schema(opset: int, attributes: dict[str, Any]) -> None:
    heads = {"q_num_heads": 2, "kv_num_heads": 2}
    fused = model("Attention", "q k v", QKV, {}, opset=opset, domain="", **heads, **attributes)
    opened = unfused(fused)
    np.testing.assert_allclose(run(opened, QKV), run(fused, QKV), atol=2e-6)
    (found,) = attentions(opened)
    np.testing.assert_allclose(run(opened, QKV, found.probabilities).sum(axis=-1), 1, atol=1e-5)


def test_a_stored_mask_of_the_standard_operator() -> None:
    feeds = {name: floats(2, 2, 5, 4) for name in "qkv"}
    fused = model("Attention", "q k v m", feeds, {"m": np.tril(np.ones((5, 5), bool))}, opset=23, domain="")
    opened = unfused(fused)
    np.testing.assert_allclose(run(opened, feeds), run(fused, feeds), atol=2e-6)
    (found,) = attentions(opened)
    assert not np.triu(run(opened, feeds, found.probabilities), 1).any()


@pytest.mark.parametrize(
    ("fused", "reason"),
    [
        (
            model("Attention", "x w b m", X | {"m": np.array([3, 5], np.int32)}, WEIGHT, num_heads=2),
            "a mask of lengths",
        ),
        (model("MultiHeadAttention", "p", {"p": floats(2, 5, 2, 3, 4)}, {}, num_heads=2), "packed or cached keys"),
        (model("Attention", "x w b - p", X | {"p": floats(2, 2, 2, 3, 4)}, WEIGHT, num_heads=2), "past keys"),
        (model("Attention", "x w b", X, WEIGHT, num_heads=2, unidirectional=1, opset=12), "a mask that needs opset 14"),
        (model("Attention", "x w b", X, WEIGHT, num_heads=2, do_rotary=1), "rotary positions"),
    ],
)
def test_forms_that_stay_closed_are_named(fused: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(ConversionError, match=f"'y' has {reason}.*export the model without fused attention"):
        unfused(fused)


def test_closed_operators_are_listed() -> None:
    fused = model("GroupQueryAttention", "x", X, {}, num_heads=2)
    assert unfused(fused) is fused
    assert closed(fused) == ("GroupQueryAttention",)

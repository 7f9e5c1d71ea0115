"""Attention is found in what exporters really write, and nothing else is taken for it."""

import io
import math
import warnings
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from agnostic.converters.attention import Attention, attentions
from agnostic.converters.readout import ALL, Rows, rows_read
from agnostic.converters.unfuse import unfused

Style = Literal["products", "einsum", "sdpa", "masked", "module"]


class Block(nn.Module):
    """Pre-norm attention written in one of the ways that people write it, and a perceptron."""

    def __init__(self, dim: int, heads: int, style: Style) -> None:
        super().__init__()
        self.heads, self.style = heads, style
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.module = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        rows = self.first(x)
        x = x + (self.module(rows, rows, rows, need_weights=False)[0] if self.style == "module" else self.mix(rows))
        return x + self.mlp(self.second(x))

    def mix(self, rows: Tensor) -> Tensor:
        n, tokens, dim = rows.shape
        query, key, value = self.qkv(rows).reshape(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        scale = 1 / math.sqrt(dim // self.heads)
        if self.style in ("sdpa", "masked"):
            mask = torch.ones(tokens, tokens, dtype=torch.bool).tril() if self.style == "masked" else None
            mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        elif self.style == "einsum":
            shares = (torch.einsum("bhid,bhjd->bhij", query, key) * scale).softmax(-1)
            mixed = torch.einsum("bhij,bhjd->bhid", shares, value)
        else:
            mixed = (query @ key.transpose(-2, -1) * scale).softmax(-1) @ value
        return self.proj(mixed.transpose(1, 2).reshape(n, tokens, dim))


class Net(nn.Module):
    """A vision transformer of timm's shape: patches, class token or mean, norm, head."""

    def __init__(self, style: Style, *, token: bool = True, dim: int = 16, heads: int = 2, depth: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, dim, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, dim)) if token else None
        self.places = nn.Parameter(torch.randn(1, 17 if token else 16, dim))
        self.blocks = nn.ModuleList([Block(dim, heads, style) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + self.places
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0] if self.token is not None else x.mean(dim=1))


def export(net: nn.Module, *, dynamo: bool = False, opset: int = 17) -> onnx.ModelProto:
    x, file = torch.randn(2, 3, 32, 32), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            free = ({0: torch.export.Dim("n")},)
            program = torch.onnx.export(
                net.eval(), (x,), dynamo=True, dynamic_shapes=free, verbose=False, opset_version=opset
            )
            assert program is not None
            return program.model_proto
        axes = {"x": {0: "n"}}
        torch.onnx.export(
            net.eval(), (x,), file, dynamo=False, input_names=["x"], dynamic_axes=axes, opset_version=opset
        )
    return onnx.load_from_string(file.getvalue())


def fetch(proto: onnx.ModelProto, names: list[str], x: np.ndarray) -> list[np.ndarray]:
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, {session.get_inputs()[0].name: x})


def check_is_attention(proto: onnx.ModelProto, item: Attention, size: int) -> None:
    """The shares add up to one, mix the values into the output, and the stream goes on with what is added."""
    x = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    shares, values, output, stream, added = fetch(
        proto, [item.probabilities, item.values, item.output, item.stream, item.added], x
    )
    assert shares.shape[-2:] == (size, size)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(shares @ values, output, atol=1e-5)
    assert stream.shape == added.shape


@pytest.mark.parametrize("style", ["products", "einsum", "sdpa", "masked", "module"])
@pytest.mark.parametrize("token", [True, False], ids=["token", "mean"])
def test_every_way_of_writing_it_is_found(style: Style, token: bool) -> None:
    torch.manual_seed(0)
    proto = export(Net(style, token=token))
    found = attentions(proto)
    assert len(found) == 2
    assert [item.places for item in found] == [17 if token else 16] * 2
    for item in found:
        check_is_attention(proto, item, 17 if token else 16)
    assert rows_read(proto, found[-1]) == ((Rows(0, 1),) if token else (ALL,))


@pytest.mark.parametrize(("style", "opset"), [("sdpa", 18), ("masked", 18), ("module", 18), ("sdpa", 23)])
def test_the_other_exporter_of_torch(style: Style, opset: int) -> None:
    torch.manual_seed(0)
    proto = unfused(export(Net(style), dynamo=True, opset=opset))
    found = attentions(proto)
    assert len(found) == 2
    for item in found:
        check_is_attention(proto, item, 17)
    assert rows_read(proto, found[-1]) == (Rows(0, 1),)


def test_a_deep_one_is_found_in_its_order() -> None:
    torch.manual_seed(0)
    found = attentions(export(Net("products", dim=48, heads=4, depth=12)))
    assert [item.stream for item in found[1:]] == [f"/blocks.{number}/Add_1_output_0" for number in range(11)]
    assert {item.shape for item in found} == {(None, 4, 17, 17)}


def graph(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    """A graph of x (n, 5, 8) whose last node makes y."""
    stored = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5, 8])]
    made = helper.make_graph(nodes, "g", inputs, [helper.make_empty_tensor_value_info("y")], stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


COMPARED = [
    helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 1]),
    helper.make_node("MatMul", ["x", "turned"], ["scores"]),
]


def test_a_classifier_is_no_attention() -> None:
    weight = {"w": np.ones((8, 3), np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"]), helper.make_node("Softmax", ["scores"], ["y"])]
    assert attentions(graph(nodes, weight)) == ()


def test_pooling_by_a_learnt_query_is_no_attention_of_tokens() -> None:
    nodes = [
        helper.make_node("MatMul", ["query", "turned"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "x"], ["y"]),
    ]
    assert attentions(graph([COMPARED[0], *nodes], {"query": np.ones((1, 8), np.float32)})) == ()


def test_a_softmax_over_queries_is_no_attention() -> None:
    nodes = [
        helper.make_node("Softmax", ["scores"], ["shares"], axis=1),
        helper.make_node("MatMul", ["shares", "x"], ["y"]),
    ]
    assert attentions(graph([*COMPARED, *nodes])) == ()
    nodes[0].attribute[0].i = 2
    (found,) = attentions(graph([*COMPARED, *nodes]))
    assert (found.probabilities, found.values, found.output) == ("shares", "x", "y")
    assert (found.added, found.stream, found.places) == ("", "", None)


def test_what_guards_against_empty_rows_belongs_to_the_shares() -> None:
    nodes = [
        helper.make_node("Softmax", ["scores"], ["raw"]),
        helper.make_node("IsNaN", ["raw"], ["empty"]),
        helper.make_node("Where", ["empty", "zero", "raw"], ["shares"]),
        helper.make_node("MatMul", ["shares", "x"], ["mixed"]),
        helper.make_node("Add", ["x", "mixed"], ["y"]),
    ]
    (found,) = attentions(graph([*COMPARED, *nodes], {"zero": np.zeros((), np.float32)}))
    assert (found.probabilities, found.added, found.stream, found.places) == ("shares", "mixed", "x", 5)


def test_the_stream_of_a_post_norm_block_is_what_it_reads() -> None:
    nodes = [
        helper.make_node("Softmax", ["scores"], ["shares"]),
        helper.make_node("MatMul", ["shares", "x"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "w"], ["projected"]),
        helper.make_node("Add", ["b", "projected"], ["biased"]),
        helper.make_node("SkipLayerNormalization", ["biased", "x", "b"], ["y"], domain="com.microsoft"),
    ]
    weights = {"w": np.eye(8, dtype=np.float32), "b": np.ones(8, np.float32)}
    (found,) = attentions(graph([*COMPARED, *nodes], weights))
    assert (found.added, found.stream) == ("biased", "x")


def test_what_is_read_behind_the_last_attention() -> None:
    def read(*nodes: onnx.NodeProto) -> tuple[Rows, ...]:
        mixing = [
            helper.make_node("Softmax", ["scores"], ["shares"]),
            helper.make_node("MatMul", ["shares", "x"], ["z"]),
        ]
        numbers = {"one": [1], "two": [2], "last": [-1], "end": [2**62], "zero": [0]}
        proto = graph([*COMPARED, *mixing, *nodes], {key: np.array(value) for key, value in numbers.items()})
        return rows_read(proto, attentions(proto)[-1])

    slice_off = helper.make_node("Slice", ["z", "one", "end", "one"], ["rest"])
    assert read(helper.make_node("Gather", ["z", "last"], ["y"], axis=1)) == (Rows(-1, None),)
    assert read(helper.make_node("Slice", ["z", "one", "two", "one"], ["y"])) == (Rows(1, 2),)
    assert read(slice_off, helper.make_node("ReduceMean", ["rest"], ["y"], axes=[1])) == (Rows(1, None),)
    assert read(slice_off, helper.make_node("Gather", ["rest", "zero"], ["y"], axis=1)) == (Rows(1, 2),)
    # A norm's mean is over channels, and softmax pooling reads no plain set of rows.
    assert read(helper.make_node("ReduceMean", ["z"], ["y"], axes=[-1])) == ()

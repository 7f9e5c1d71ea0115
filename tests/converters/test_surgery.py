import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from agnostic.converters import surgery, verify
from agnostic.converters.graph import producers
from agnostic.errors import UsageError


@pytest.fixture
def residual(build) -> ModelProto:
    return build(
        """net (float[n, 3, 8, 8] x) => (float[n, 5] y) {
            c1 = Conv<pads = [1, 1, 1, 1]>(x, w1)
            r1 = Relu(c1)
            c2 = Conv<pads = [1, 1, 1, 1]>(r1, w2)
            s = Add(c2, x)
            r2 = Relu(s)
            p = GlobalAveragePool(r2)
            f = Flatten(p)
            y = Gemm<transB = 1>(f, w3)
        }""",
        w1=(3, 3, 3, 3),
        w2=(3, 3, 3, 3),
        w3=(5, 3),
    )


@pytest.fixture
def two_inputs(build) -> ModelProto:
    return build(
        """net (float[n, 4] a, float[n, 4] b) => (float[n, 4] y, float[n, 4] z) {
            h = MatMul(a, w)
            g = Sigmoid(b)
            left, right = Split<axis = 1>(h)
            turned = Concat<axis = 1>(right, left)
            y = Mul(turned, g)
            z = Tanh(g)
        }""",
        w=(4, 4),
    )


@pytest.fixture
def branching(build) -> ModelProto:
    return build(
        """net (float[n, 4] x) => (float[n, 4] y) {
            h = Relu(x)
            total = ReduceSum<keepdims = 0>(x)
            zero = Constant<value = float {0}>()
            positive = Greater(total, zero)
            y = If(positive) <then_branch = yes () => (float[n, 4] a) { a = Add(h, x) },
                              else_branch = no () => (float[n, 4] b) { b = Neg(h) }>
        }"""
    )


def replay(proto: ModelProto, at: str, feeds: dict[str, np.ndarray]) -> verify.Comparison:
    """Run up to a tensor, then from it, and compare with the whole model."""
    hidden = verify.run(surgery.head(proto, at), feeds, [at])[0]
    return verify.compare(proto, surgery.tail(proto, at), {**feeds, at: hidden})


def test_expose_gives_the_hidden_values(residual: ModelProto) -> None:
    feeds = verify.random_feeds(residual)
    exposed = surgery.expose(residual, ["r1", "s", "r1"])
    assert [value.name for value in exposed.graph.output] == ["y", "r1", "s"]
    onnx.checker.check_model(exposed)
    assert verify.same(residual, exposed, feeds, tolerance=0)
    r1, s = verify.run(exposed, feeds, ["r1", "s"])
    assert (r1 >= 0).all() and r1.any()
    np.testing.assert_allclose(verify.run(surgery.tail(residual, "s"), {"s": s}), verify.run(residual, feeds))


def test_expose_only_is_lean(residual: ModelProto) -> None:
    lean = surgery.expose(residual, ["r1"], only=True)
    onnx.checker.check_model(lean)
    assert [node.op_type for node in lean.graph.node] == ["Conv", "Relu"]
    assert [tensor.name for tensor in lean.graph.initializer] == ["w1"]
    assert [value.name for value in lean.graph.output] == ["r1"]
    feeds = verify.random_feeds(residual)
    assert verify.same(surgery.expose(residual, ["r1"]), lean, feeds, ["r1"], tolerance=0)


def test_exposed_outputs_are_typed(residual: ModelProto) -> None:
    value = surgery.expose(residual, ["p"]).graph.output[-1]
    assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    assert [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim] == ["n", 3, 1, 1]


def test_an_operator_onnx_does_not_know_keeps_its_type(build) -> None:
    proto = build("net (float16[n, 4] x) => (float16[n, 4] y) { h = Relu(x) g = Gelu(h) y = Relu(g) }", opset=20)
    proto.graph.node[1].domain = "com.microsoft"
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert surgery.expose(proto, ["g"]).graph.output[-1].type.tensor_type.elem_type == TensorProto.FLOAT16
    assert surgery.tail(proto, "g").graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT16


def test_an_input_can_be_exposed(residual: ModelProto) -> None:
    feeds = verify.random_feeds(residual)
    np.testing.assert_array_equal(verify.run(surgery.expose(residual, ["x"]), feeds, ["x"])[0], feeds["x"])


def test_nothing_is_changed_in_place(residual: ModelProto) -> None:
    before = residual.SerializeToString(deterministic=True)
    for made in (surgery.expose(residual, ["r1"]), surgery.head(residual, "r1"), surgery.tail(residual, "r1")):
        made.graph.node[0].name = "changed"
        made.graph.initializer[0].name = "changed"
    assert residual.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("at", ["c1", "r1", "c2", "s", "r2", "p", "f", "y"])
def test_head_then_tail_is_the_model(residual: ModelProto, at: str) -> None:
    assert replay(residual, at, verify.random_feeds(residual, batch=3)).largest <= 1e-6


def test_tail_beside_a_residual_branch_keeps_the_input(residual: ModelProto) -> None:
    assert [value.name for value in surgery.tail(residual, "c2").graph.input] == ["c2", "x"]
    assert [value.name for value in surgery.tail(residual, "s").graph.input] == ["s"]
    assert {tensor.name for tensor in surgery.tail(residual, "s").graph.initializer} == {"w3"}


def test_tail_depends_on_what_it_is_given(residual: ModelProto) -> None:
    hidden = verify.run(surgery.head(residual, "r2"), verify.random_feeds(residual))[0]
    end = surgery.tail(residual, "r2")
    np.testing.assert_allclose(
        verify.run(end, {"r2": 2 * hidden})[0], 2 * verify.run(end, {"r2": hidden})[0], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("at", ["h", "left", "right", "turned"])
def test_two_inputs(two_inputs: ModelProto, at: str) -> None:
    assert replay(two_inputs, at, verify.random_feeds(two_inputs)).largest <= 1e-6
    end = surgery.tail(two_inputs, at)
    onnx.checker.check_model(end)
    assert [value.name for value in end.graph.output] == ["y"], "z does not depend on it"
    assert {"b", at} <= {value.name for value in end.graph.input}


def test_a_tensor_for_both_outputs(two_inputs: ModelProto) -> None:
    end = surgery.tail(two_inputs, "g")
    assert [value.name for value in end.graph.output] == ["y", "z"]
    assert replay(two_inputs, "g", verify.random_feeds(two_inputs)).largest <= 1e-6


@pytest.mark.parametrize("sign", [1, -1])
def test_branches_read_the_cut_tensor(branching: ModelProto, sign: int) -> None:
    x = sign * np.abs(verify.random_feeds(branching)["x"])
    assert replay(branching, "h", {"x": x}).largest == 0
    doubled = verify.run(surgery.tail(branching, "h"), {"x": x, "h": np.full_like(x, 3)})[0]
    np.testing.assert_allclose(doubled, x + 3 if sign > 0 else np.full_like(x, -3))


def test_head_drops_inputs_it_does_not_need(two_inputs: ModelProto) -> None:
    assert [value.name for value in surgery.head(two_inputs, "h").graph.input] == ["a"]


def test_wrong_names(residual: ModelProto) -> None:
    with pytest.raises(UsageError, match=r"unknown tensor 'r3'; did you mean 'r2'"):
        surgery.expose(residual, ["r3"])
    with pytest.raises(UsageError, match="unknown tensor 'nothing'"):
        surgery.tail(residual, "nothing")
    with pytest.raises(UsageError, match="'x' is an input"):
        surgery.tail(residual, "x")
    with pytest.raises(UsageError, match="unknown tensor 'w1'"):
        surgery.head(residual, "w1")


def test_tail_without_an_output() -> None:
    ends = [helper.make_tensor_value_info(name, 1, ["n"]) for name in "xy"]
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["loose"])]
    proto = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]), ir_version=8)
    with pytest.raises(UsageError, match="no output of the model depends on 'loose'"):
        surgery.tail(proto, "loose")


def test_fixed_batch_is_freed_at_the_cut(build) -> None:
    proto = build("net (float[1, 4] x) => (float[1, 4] y) { h = Relu(x) y = Neg(h) }")
    end = surgery.tail(proto, "h")
    hidden = np.ones((3, 4), np.float32)
    np.testing.assert_array_equal(verify.run(end, {"h": hidden})[0], -hidden)
    for value in (*end.graph.input, *end.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_metadata_and_functions_travel_along(build) -> None:
    proto = build("net (float[n, 4] x) => (float[n, 4] y) { h = Relu(x) y = Neg(h) }")
    helper.set_model_props(proto, {"labels": "cat,dog"})
    proto.functions.append(
        helper.make_function("f", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], proto.opset_import)
    )
    for part in (surgery.head(proto, "h"), surgery.tail(proto, "h")):
        assert part.metadata_props == proto.metadata_props and part.functions == proto.functions
        assert part.opset_import == proto.opset_import and part.ir_version == proto.ir_version


@pytest.mark.parametrize(("name", "at"), [("squeezenet", "r9"), ("squeezenet", "r60"), ("shufflenet", "r100")])
def test_real_networks(name: str, at: str, random_light) -> None:
    proto = random_light(name)
    feeds = verify.random_feeds(proto)
    assert np.ptp(verify.run(proto, feeds)[0]) > 0
    assert replay(proto, at, feeds).relative <= 1e-6
    exposed = surgery.expose(proto, [at])
    assert verify.same(proto, exposed, feeds, tolerance=0)
    assert producers(exposed.graph).keys() == producers(proto.graph).keys()


def test_keras_model(dianna_model) -> None:
    proto = onnx.load(dianna_model("mnist_model_tf.onnx"))
    at = "StatefulPartitionedCall/sequential/max_pooling2d/MaxPool:0"
    assert replay(proto, at, verify.random_feeds(proto)).largest <= 1e-6

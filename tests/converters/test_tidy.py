import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

from agnostic.converters import metadata, tidy, torch_names, verify
from agnostic.converters.conversion import Facts
from agnostic.engine.facts import from_metadata


@pytest.fixture
def coded(build) -> ModelProto:
    """As exporters leave them: numbered weights, one of them twice, a fixed batch, an If that looks outside."""
    proto = build(
        """net (float[1, 4] x) => (float[1, 3] y) {
            a = Gemm(x, w1, b1)
            b = Gemm(x, w2, b1)
            c = Add(a, b)
            d = Reshape<allowzero = 1>(c, s)
            y = Relu(d)
        }""",
        w1=np.arange(12, dtype=np.float32).reshape(4, 3),
        w2=np.arange(12, dtype=np.float32).reshape(4, 3),
        b1=np.ones(3, np.float32),
        s=np.array([1, 3]),
    )
    tidy.rename(proto, {"w1": "onnx::MatMul_7", "w2": "onnx::MatMul_9", "b1": "val_3"})
    for node in proto.graph.node:
        node.metadata_props.add(key="stack", value="/home/someone/net.py")
        node.doc_string = "/home/someone/net.py"
    return proto


def test_a_graph_becomes_readable_and_computes_the_same(coded: ModelProto) -> None:
    before = ModelProto()
    before.CopyFrom(coded)
    made = tidy.tidy(coded, {"a": "left", "c": "sum"})
    assert [node.output[0] for node in made.graph.node] == ["left", "b", "sum", "d", "y"]
    named = [t.name for t in made.graph.initializer]
    assert {"left/weight", "left/bias"} <= set(named) and "b/weight" not in named
    assert made.graph.node[1].input[1] == "left/weight", "equal weights are kept once"
    assert b"someone" not in made.SerializeToString()
    assert made.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    whole = verify.run(made, {"x": x})[0]
    rows = [verify.run(before, {"x": x[i : i + 1]})[0][0] for i in range(3)]
    assert np.allclose(whole, rows)


def test_names_that_are_taken_are_numbered_and_found_inside_branches(build) -> None:
    proto = build(
        """net (float[n, 2] x, bool k) => (float[n, 2] y) {
            a = Add(x, x)
            y = If(k) <then_branch = yes () => (float[n, 2] p) { p = Relu(a) },
                       else_branch = no () => (float[n, 2] q) { q = Neg(a) }>
        }"""
    )
    tidy.rename(proto, {"a": "x", "p": "x"})
    assert proto.graph.node[0].output[0] == "x_1"
    (made,) = verify.run(proto, {"x": np.full((1, 2), -1, np.float32), "k": np.array(True)})
    assert made.tolist() == [[0, 0]]


def test_lengths_and_batches_have_names(build) -> None:
    proto = build("net (float[s77, s3] x, float[s77, s5] z) => (float[unk__1, s3] y) { y = Add(x, x) }")
    tidy.tidy(proto)
    shapes = [[d.dim_param for d in v.type.tensor_type.shape.dim] for v in (*proto.graph.input, *proto.graph.output)]
    assert shapes == [["batch", "length"], ["batch", "length_2"], ["batch", "length"]]


def scoped(op: str, x: str, y: str, *scopes: str) -> onnx.NodeProto:
    node = helper.make_node(op, [x], [y])
    node.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=repr(["", *scopes, y]))
    return node


def test_the_last_tensor_of_a_module_has_its_name() -> None:
    nodes = [
        scoped("Relu", "x", "a", "net", "net.stem"),
        scoped("Neg", "a", "b", "net", "net.stem"),
        scoped("Abs", "b", "c", "net", "net.head"),
        scoped("Exp", "c", "d"),
    ]
    value = [helper.make_tensor_value_info(name, 1, ["n"]) for name in "xd"]
    proto = helper.make_model(helper.make_graph(nodes, "g", value[:1], value[1:]))
    assert torch_names.by_scope(proto) == {"a": "stem/relu", "b": "stem", "c": "head"}


def test_what_is_written_is_read_back(build) -> None:
    proto = build("net (float[n, 2] x) => (float[n, 2] y) { y = Add(x, x) }")
    preprocess = metadata.image_processor({"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 30}})
    facts = Facts(["a", "b"], {**preprocess, "size": [32, 30]}, {"columns": []}, {"kind": "strings"})
    for _ in range(2):
        metadata.describe(proto, facts, {"framework": "x"})
    read = from_metadata(proto)
    assert read.labels == ("a", "b") and read.preprocess is not None and read.preprocess.size == (32, 30)
    assert sorted(e.key for e in proto.metadata_props) == [
        f"agnostic.{key}" for key in ("conversion", "labels", "preprocess", "table", "text")
    ]
    assert metadata.read_conversion(proto) == {"framework": "x"} and metadata.read_conversion(ModelProto()) == {}


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (None, None),
        ([], None),
        (np.array([0, 1, 2]), None),
        (np.array([0.0, 1.0]), None),
        (np.array([1, 2]), ["1", "2"]),
        (np.array([1.5, 2.5]), ["1.5", "2.5"]),
        ([False, True], ["False", "True"]),
        (["x", "y"], ["x", "y"]),
    ],
)
def test_classes_become_names_only_where_they_say_something(classes, names) -> None:
    assert metadata.as_labels(classes) == names

import contextlib
import gzip
import hashlib
import io
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from agnostic.converters import layers, surgery
from agnostic.converters.loader import Limits, load
from agnostic.errors import AgnosticError, LimitError, ModelError


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


@pytest.fixture
def valid(build) -> ModelProto:
    return build(
        """net (float[n, 3, 4, 4] x) => (float[n, 8] y) {
            c = Conv(x, w)
            t = Constant<value = float[1] {0.5}>()
            k = Greater(t, t)
            e = If(k) <then_branch = yes () => (float[n, 2, 2, 2] a) { a = Identity(c) },
                       else_branch = no () => (float[n, 2, 2, 2] b) { b = Relu(c) }>
            y = Reshape(e, s)
        }""",
        w=(2, 3, 3, 3),
        s=np.array([0, -1]),
    )


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


NOT_ONNX = {
    "empty": (b"", "is empty"),
    "zeros": (bytes(64), "zeros"),
    "random": (random.Random(1).randbytes(500), "cannot be read as ONNX"),
    "html": (b"\n <!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page"),
    "bare html": (b"<html><head></head></html>", "an HTML page"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML text"),
    "json": (b'{"error": "not found"}', "a JSON text"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "git lfs pull"),
    "gzip": (gzip.compress(b"model"), "gzip"),
    "zip": (zipped("a.txt"), "a zip archive"),
    "zipped onnx": (zipped("model.onnx"), ".onnx file inside"),
    "torch": (zipped("archive/data.pkl", "archive/data/0"), "PyTorch checkpoint"),
    "keras": (zipped("config.json", "model.weights.h5"), "a Keras model"),
    "npz": (zipped("x.npy"), "NumPy"),
    "broken zip": (zipped("a.txt")[:-20], "damaged zip"),
    "pickle": (pickle.dumps(Trap()), "never opened"),
    "old pickle": (pickle.dumps([1, 2], protocol=2), "never opened"),
    "safetensors": (struct.pack("<Q", 20) + b'{"a":{"dtype":"F32"}}' + bytes(8), "safetensors"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(30), "Keras"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(30), "TensorFlow Lite"),
    "ort": (b"\x1c\0\0\0ORTM" + bytes(30), "ORT format"),
    "gguf": (b"GGUF" + bytes(30), "GGUF"),
    "tensorflow": (b"\n\x10\n\x01x\x12\x0bPlaceholder", "a TensorFlow graph"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(30), "picture"),
}


@pytest.mark.parametrize("case", NOT_ONNX)
def test_other_files_are_named(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, cause = NOT_ONNX[case]
    monkeypatch.chdir(tmp_path)
    Path("net.onnx").write_bytes(data)
    with pytest.raises(ModelError, match=cause) as refusal:
        load("net.onnx")
    assert "'net.onnx'" in str(refusal.value) and "\n" not in str(refusal.value)
    assert ";" in str(refusal.value), "a refusal says what to do"
    assert not Path("touched").exists()


def test_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "squeezenet.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"does not exist; did you mean 'squeezenet\.onnx'\?"):
        load(tmp_path / "squeezent.onnx")
    with pytest.raises(ModelError, match="no folder"):
        load(tmp_path / "no" / "where.onnx")


def test_folder_names_the_models_in_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a folder; give the path of an \.onnx file"):
        load(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"is a folder; give one of 'a\.onnx' in it"):
        load(tmp_path)


def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="not a plain file"):
        load(tmp_path / "pipe.onnx")
    with pytest.raises(ModelError, match="not a plain file"):
        load("/dev/zero")


def test_a_name_no_system_has() -> None:
    with pytest.raises(ModelError, match="cannot be opened"):
        load("a\0b.onnx")


def test_every_truncation_is_refused_or_loads(valid: ModelProto) -> None:
    data = valid.SerializeToString()
    for length in range(len(data)):
        with pytest.raises(ModelError):
            load(data[:length])


def test_mutants_are_refused_or_load(valid: ModelProto) -> None:
    data, rng, loaded = valid.SerializeToString(), random.Random(0), 0
    for _ in range(1500):
        mutant = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            mutant[rng.randrange(len(mutant))] ^= 1 << rng.randrange(8)
        try:
            load(bytes(mutant))
            loaded += 1
        except AgnosticError as refusal:
            assert "\n" not in str(refusal)
    assert 0 < loaded < 1500


def test_hash_is_that_of_the_file(valid: ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(valid.SerializeToString())
    loaded = load(path)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.path == path
    assert loaded.proto == valid
    assert load(str(path)) == loaded
    assert load(path.read_bytes()).sha256 == loaded.sha256


def test_proto_is_copied(valid: ModelProto) -> None:
    loaded = load(valid)
    assert loaded.proto == valid and loaded.proto is not valid and loaded.path is None
    assert loaded.sha256 == hashlib.sha256(valid.SerializeToString(deterministic=True)).hexdigest()


NAMES = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19")


@pytest.mark.parametrize("name", (*NAMES, "zfnet512"))
def test_old_models_load(name: str, light) -> None:
    loaded = load(light(name))
    assert loaded.proto.ir_version == 3
    assert loaded.sha256 == hashlib.sha256(light(name).read_bytes()).hexdigest()


def test_keras_models_load(dianna_model) -> None:
    assert load(dianna_model("mnist_model_tf.onnx")).proto.graph.node
    assert load(dianna_model("season_prediction_model_temp_max_binary.onnx")).proto.graph.node


def test_file_size_is_capped(valid: ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(valid.SerializeToString())
    with pytest.raises(ModelError, match="larger than 100 bytes"):
        load(path, limits=Limits(file_bytes=100))


def big(op: str, shape: list[int]) -> ModelProto:
    size = numpy_helper.from_array(np.array(shape), "size")
    inputs = {"ConstantOfShape": ["size"], "Expand": ["x", "size"], "Tile": ["x", "size"]}[op]
    nodes = [helper.make_node(op, inputs, ["huge"]), helper.make_node("Mul", ["x", "huge"], ["y"])]
    ends = [helper.make_tensor_value_info(name, 1, [None, None]) for name in "xy"]
    graph = helper.make_graph(nodes, "bomb", ends[:1], ends[1:], [size])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.mark.parametrize("op", ["ConstantOfShape", "Expand", "Tile"])
def test_bombs_say_what_they_ask_for(op: str) -> None:
    data = big(op, [4_000_000, 1_000_000]).SerializeToString()
    assert len(data) < 300
    with pytest.raises(LimitError, match=r"asks for 16 TB of memory in 'huge'"):
        load(data)
    load(big(op, [4, 1]))


def test_bomb_in_a_branch_is_seen() -> None:
    inner = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["size"], ["huge"])],
        "branch",
        [],
        [helper.make_tensor_value_info("huge", 1, None)],
        [numpy_helper.from_array(np.array([2**40]), "size")],
    )
    nodes = [helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)]
    ends = [helper.make_tensor_value_info("x", 9, []), helper.make_tensor_value_info("y", 1, [None])]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    with pytest.raises(LimitError, match=r"4\.4 TB"):
        load(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]))


def test_overflowing_initializer(valid: ModelProto) -> None:
    valid.graph.initializer[0].dims[:] = [2**40, 2**40]
    with pytest.raises(LimitError, match="asks for"):
        load(valid)


@pytest.mark.parametrize(("dims", "cause"), [([2, 3, 3, 4], "is cut off"), ([-2, 3, 3, 3], "negative size")])
def test_wrong_initializer(valid: ModelProto, dims: list[int], cause: str) -> None:
    valid.graph.initializer[0].dims[:] = dims
    with pytest.raises(ModelError, match=cause):
        load(valid)


def test_unknown_number_type(valid: ModelProto) -> None:
    valid.graph.initializer[0].data_type = 77
    with pytest.raises(ModelError, match="unknown type 77"):
        load(valid)


@pytest.mark.parametrize(
    ("limits", "cause"), [(Limits(nodes=6), "has 7 nodes"), (Limits(initializers=2), "has 3 stored tensors")]
)
def test_counts_reach_into_branches(valid: ModelProto, limits: Limits, cause: str) -> None:
    with pytest.raises(ModelError, match=cause):
        load(valid, limits=limits)
    load(valid, limits=Limits(nodes=7, initializers=3))


def test_functions_count_too(valid: ModelProto) -> None:
    body = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
    opsets = [helper.make_opsetid("", 17)]
    valid.functions.append(helper.make_function("mine", "Twice", ["a"], ["c"], body, opsets))
    valid.opset_import.append(helper.make_opsetid("mine", 1))
    with pytest.raises(ModelError, match="has 9 nodes"):
        load(valid, limits=Limits(nodes=8))


def test_versions_from_the_future(valid: ModelProto) -> None:
    newer = ModelProto()
    newer.CopyFrom(valid)
    newer.ir_version = onnx.IR_VERSION + 1
    with pytest.raises(ModelError, match=rf"IR version {onnx.IR_VERSION + 1}; onnx .* knows up to {onnx.IR_VERSION}"):
        load(newer)
    valid.opset_import[0].version = 99
    with pytest.raises(ModelError, match="has opset 99"):
        load(valid)


def test_custom_operators_are_refused(valid: ModelProto) -> None:
    valid.graph.node[0].domain = "acme"
    valid.opset_import.append(helper.make_opsetid("acme", 1))
    with pytest.raises(ModelError, match=r"acme\.Conv.*--allow-custom-ops"):
        load(valid)
    assert load(valid, allow_custom_ops=True).proto.graph.node[0].domain == "acme"


def test_custom_operator_in_a_branch_is_refused(valid: ModelProto) -> None:
    branch = next(node for node in valid.graph.node if node.op_type == "If").attribute[0].g
    branch.node[0].domain = "acme"
    valid.opset_import.append(helper.make_opsetid("acme", 1))
    with pytest.raises(ModelError, match="custom operator"):
        load(valid)


@pytest.mark.parametrize("domain", ["com.microsoft", "ai.onnx.ml", "ai.onnx.preview.training"])
def test_known_domains_pass(domain: str, valid: ModelProto) -> None:
    valid.opset_import.append(helper.make_opsetid(domain, 1))
    load(valid)


def test_own_functions_pass(valid: ModelProto) -> None:
    body = [helper.make_node("Relu", ["a"], ["b"])]
    valid.functions.append(helper.make_function("mine", "Conv", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))
    valid.opset_import.append(helper.make_opsetid("mine", 1))
    valid.graph.node[0].domain = "mine"
    del valid.graph.node[0].input[1:]
    load(valid)


def without_nodes(proto: ModelProto) -> None:
    del proto.graph.node[:]


def without_inputs(proto: ModelProto) -> None:
    weight = numpy_helper.from_array(np.zeros((1, 3, 4, 4), np.float32), "x")
    proto.graph.initializer.append(weight)


def without_outputs(proto: ModelProto) -> None:
    del proto.graph.output[:]


def with_a_cycle(proto: ModelProto) -> None:
    proto.graph.node[0].input[0] = "y"


def with_a_wrong_arity(proto: ModelProto) -> None:
    del proto.graph.node[0].input[:]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (without_nodes, "holds no graph"),
        (without_inputs, "has no input"),
        (without_outputs, "has no output"),
        (with_a_cycle, "breaks a rule of ONNX"),
        (with_a_wrong_arity, "breaks a rule of ONNX"),
    ],
)
def test_incomplete_models(valid: ModelProto, damage, cause: str) -> None:
    damage(valid)
    with pytest.raises(ModelError, match=cause) as refusal:
        load(valid)
    assert len(str(refusal.value)) < 300 and "\n" not in str(refusal.value)


@pytest.mark.parametrize("old", [b"Conv", b"bytes of a weight's name"[-4:], b"then_branch"])
def test_text_that_is_no_text(valid: ModelProto, old: bytes) -> None:
    valid.graph.initializer[0].name = valid.graph.node[0].input[1] = "name"
    data = valid.SerializeToString()
    assert old in data
    with pytest.raises(ModelError, match=r"not text|breaks a rule"):
        load(data.replace(old, b"\xff" * len(old)))


def test_a_graph_name_that_is_no_text(valid: ModelProto) -> None:
    valid.graph.name = "graph's name"
    with pytest.raises(ModelError, match="holds a name that is not text"):
        load(valid.SerializeToString().replace(b"graph's name", b"graph's nam\xff"))


@pytest.mark.parametrize("dims", [[0, 2**62], [2**62] * 40])
def test_sizes_past_any_machine(valid: ModelProto, dims: list[int]) -> None:
    valid.graph.initializer[0].dims[:] = dims
    with pytest.raises(LimitError, match=r"asks for .* PB of memory"):
        load(valid)


def test_what_loads_can_be_cut_and_listed(build) -> None:
    text = """net (float[1, 3, 8, 8] x) => (float[1, 5] y) {
        c = Conv(x, w) s = Sigmoid(c) m = Mul(c, s) t = Transpose<perm = [0, 2, 3, 1]>(m)
        u = Transpose<perm = [0, 3, 1, 2]>(t) p = ReduceMean<axes = [2, 3]>(u) f = Reshape(p, rows)
        h = MatMul(f, v) z = Add(h, b) y = Softmax(z)
    }"""
    data = build(text, w=(4, 3, 3, 3), rows=np.array([1, 4]), v=(4, 5), b=(5,)).SerializeToString()
    rng, cut = random.Random(0), 0
    for _ in range(600):
        mutant = bytearray(data)
        mutant[rng.randrange(len(mutant))] ^= 1 << rng.randrange(8)
        try:
            proto = load(bytes(mutant)).proto
        except AgnosticError:
            continue
        layers.layers(proto), layers.analytic_cam(proto), surgery.free_batch(proto)
        surgery.before_softmax(proto, proto.graph.output[0].name)
        surgery.preactivation_twin(proto, "m")
        for at in {name for node in proto.graph.node for name in node.output if name}:
            with contextlib.suppress(AgnosticError):
                surgery.tail(proto, at)
                cut += 1
    assert cut > 100

"""Files a user might hand over: small models, pictures, and things that are neither."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agnostic import models
from agnostic.cli import run


def value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def pooled(*nodes: onnx.NodeProto, channels: int = 3, weights: dict[str, np.ndarray] | None = None) -> bytes:
    """A model on [n, channels, 32, 32] that averages each channel into f, then runs nodes that end in y."""
    head = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["f"])]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(
        [*head, *nodes], "toy", [value("x", "n", channels, 32, 32)], [value("y", "n", channels)], tensors
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def endless_loop() -> bytes:
    body = helper.make_graph(
        [helper.make_node("Add", ["v", "step"], ["v2"]), helper.make_node("Identity", ["c"], ["c2"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            value("v", "n", 3),
        ],
        [helper.make_tensor_value_info("c2", TensorProto.BOOL, []), value("v2", "n", 3)],
        [numpy_helper.from_array(np.float32(1e-9), "step")],
    )
    loop = helper.make_node("Loop", ["trips", "go", "f"], ["y"], body=body)
    return pooled(loop, weights={"trips": np.int64(2**40), "go": np.bool_(True)})


def bomb(*shape: int) -> bytes:
    nodes = (
        helper.make_node("ConstantOfShape", ["s"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["r"], keepdims=0),
        helper.make_node("Add", ["f", "r"], ["y"]),
    )
    return pooled(*nodes, weights={"s": np.array(shape, np.int64)})


def not_a_number() -> bytes:
    nodes = (
        helper.make_node("Abs", ["f"], ["a"]),
        helper.make_node("Sub", ["minus", "a"], ["b"]),
        helper.make_node("Log", ["b"], ["y"]),
    )
    return pooled(*nodes, weights={"minus": np.float32(-1)})


def constant() -> bytes:
    nodes = (helper.make_node("Mul", ["f", "zero"], ["m"]), helper.make_node("Add", ["m", "one"], ["y"]))
    return pooled(*nodes, weights={"zero": np.float32(0), "one": np.float32(1)})


def outside_weights() -> bytes:
    model = onnx.load_model_from_string(
        pooled(helper.make_node("Mul", ["f", "w"], ["y"]), weights={"w": np.ones(3, "f4")})
    )
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    return model.SerializeToString()


def huge_png(width: int = 20_000, height: int = 10_000) -> bytes:
    """A 200-million-pixel picture in a few kilobytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def small_picture() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with every kind of file, and the user standing in it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    identity = helper.make_node("Identity", ["f"], ["y"])
    squeezenet = models.path("squeezenet").read_bytes()
    files = {
        "good.onnx": pooled(identity),
        "six.onnx": pooled(identity, channels=6),
        "loop.onnx": endless_loop(),
        "bomb.onnx": bomb(2**20, 2**20, 4),
        "hungry.onnx": bomb(900, 1000, 1000),
        "nan.onnx": not_a_number(),
        "constant.onnx": constant(),
        "outside.onnx": outside_weights(),
        "empty.onnx": b"",
        "truncated.onnx": squeezenet[: len(squeezenet) // 2],
        "page.onnx": b"<!DOCTYPE html><html><body>Not found</body></html>",
        "text.png": b"I am a text, not a picture.",
        "huge.png": huge_png(),
        "small.png": small_picture(),
    }
    for name, content in files.items():
        (inside / name).write_bytes(content)
    hard = onnx.load_model_from_string(outside_weights())
    hard.graph.initializer[0].external_data[0].value = "linked.bin"
    (inside / "hardlink.onnx").write_bytes(hard.SerializeToString())
    (inside / "linked.bin").hardlink_to(tmp_path / "secret.bin")
    monkeypatch.chdir(inside)
    return inside


@pytest.fixture(autouse=True)
def no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watchdog ends the whole process, which here is pytest; a test of its own runs it in another."""
    monkeypatch.setattr("agnostic.cli.common._give_up", lambda _timeout: None)


@pytest.fixture
def agnostic(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line as a user does; returns exit status, stdout and stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status = run(arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call

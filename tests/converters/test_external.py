import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from agnostic.converters import external
from agnostic.converters.loader import Limits, load
from agnostic.errors import ModelError

WEIGHTS = np.arange(24, dtype=np.float32).reshape(2, 12)


@pytest.fixture
def proto() -> ModelProto:
    ends = [helper.make_tensor_value_info("x", 1, ["n", 2]), helper.make_tensor_value_info("y", 1, ["n", 12])]
    weights = TensorProto(name="w", data_type=1, dims=[2, 12], data_location=TensorProto.EXTERNAL)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "model"
    (inside / "sub").mkdir(parents=True)
    for path in (tmp_path / "secret", inside / "weights", inside / "sub" / "weights"):
        path.write_bytes(b"12345678" + WEIGHTS.tobytes())
    (inside / "link").symlink_to(inside / "weights")
    (inside / "link out").symlink_to(tmp_path / "secret")
    (inside / "linked folder").symlink_to(inside / "sub")
    (inside / "hard").hardlink_to(tmp_path / "secret")
    (inside / "short").write_bytes(bytes(8))
    os.mkfifo(inside / "pipe")
    return inside


def saved(proto: ModelProto, folder: Path, **entries: object) -> Path:
    for key, value in entries.items():
        proto.graph.initializer[0].external_data.add(key=key, value=str(value))
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.mark.parametrize("location", ["weights", "sub/weights", "./weights"])
@pytest.mark.parametrize("length", [{}, {"length": 96}])
def test_weights_beside_the_model(proto: ModelProto, folder: Path, location: str, length: dict[str, int]) -> None:
    path = saved(proto, folder, location=location, offset=8, **length)
    loaded = load(path)
    tensor = loaded.proto.graph.initializer[0]
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), WEIGHTS)
    assert tensor.data_location == TensorProto.DEFAULT and not tensor.external_data
    assert loaded.sha256 == hashlib.sha256(path.read_bytes() + WEIGHTS.tobytes()).hexdigest()
    assert load(loaded.proto).proto == loaded.proto


REFUSED = {
    "parent": ({"location": "../secret"}, "outside its own folder"),
    "hidden parent": ({"location": "sub/../../secret"}, "outside its own folder"),
    "absolute": ({"location": "/etc/passwd"}, "outside its own folder"),
    "device": ({"location": "/dev/zero"}, "outside its own folder"),
    "windows drive": ({"location": "C:\\weights"}, "outside its own folder"),
    "windows parent": ({"location": "sub\\..\\..\\secret"}, "outside its own folder"),
    "null byte": ({"location": "weights\0"}, "outside its own folder"),
    "the folder": ({"location": "."}, "outside its own folder"),
    "symlink": ({"location": "link"}, "is a link"),
    "symlink out": ({"location": "link out"}, "is a link"),
    "symlinked folder": ({"location": "linked folder/weights"}, "is a link"),
    "hard link": ({"location": "hard"}, "hard link"),
    "folder": ({"location": "sub"}, "not a plain file"),
    "pipe": ({"location": "pipe"}, "not a plain file"),
    "missing": ({"location": "nothing"}, "is missing"),
    "short": ({"location": "short"}, "which has 8"),
    "late offset": ({"location": "weights", "offset": 9}, "reads up to byte 105 of 'weights', which has 104"),
    "huge offset": ({"location": "weights", "offset": 10**18}, "cut off"),
    "negative offset": ({"location": "weights", "offset": -8}, "not a count of bytes"),
    "absurd offset": ({"location": "weights", "offset": 10**30}, "not a count of bytes"),
    "word": ({"location": "weights", "offset": "1_0"}, "not a count of bytes"),
    "huge length": ({"location": "weights", "length": 10**12}, "its shape needs 96"),
    "short length": ({"location": "weights", "length": 92}, "its shape needs 96"),
    "unknown key": ({"location": "weights", "__class__": "x"}, "unknown external_data key '__class__'"),
    "no location": ({"offset": 8}, "does not say in which file"),
}


@pytest.mark.parametrize("stepwise", [True, False])
@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, stepwise: bool, proto: ModelProto, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not stepwise:
        # As on a system that cannot open a file relative to an opened folder.
        monkeypatch.setattr(external.os, "supports_dir_fd", set())
    entries, cause = REFUSED[case]
    path = saved(proto, folder, **entries)
    with pytest.raises(ModelError, match=cause) as refusal:
        load(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_without_stepwise_opening(proto: ModelProto, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external.os, "supports_dir_fd", set())
    loaded = load(saved(proto, folder, location="sub/weights", offset=8))
    np.testing.assert_array_equal(numpy_helper.to_array(loaded.proto.graph.initializer[0]), WEIGHTS)


def test_bytes_have_no_folder(proto: ModelProto, folder: Path) -> None:
    path = saved(proto, folder, location="weights", offset=8)
    with pytest.raises(ModelError, match=r"give the path of the \.onnx file"):
        load(path.read_bytes())


def test_one_file_read_many_times_is_capped(proto: ModelProto, folder: Path) -> None:
    path = saved(proto, folder, location="weights", offset=8)
    size = path.stat().st_size
    with pytest.raises(ModelError, match="more weights in other files"):
        load(path, limits=Limits(file_bytes=size + 95))
    load(path, limits=Limits(file_bytes=size + 96))


def test_attribute_tensors_are_read_too(folder: Path) -> None:
    tensor = TensorProto(name="w", data_type=1, dims=[2, 12], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret")
    ends = [helper.make_tensor_value_info("x", 1, ["n", 2]), helper.make_tensor_value_info("y", 1, ["n", 12])]
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor), helper.make_node("MatMul", ["x", "w"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]), ir_version=8)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside its own folder"):
        load(folder / "net.onnx")


@pytest.mark.parametrize(
    ("data_type", "size"), [(TensorProto.INT4, 3), (TensorProto.FLOAT16, 10), (TensorProto.BOOL, 5)]
)
def test_size_in_bytes(data_type: int, size: int) -> None:
    assert external.size_in_bytes(TensorProto(data_type=data_type, dims=[5])) == size

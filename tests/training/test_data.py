"""Training sets from folders, archives and tables, and runs from checkpoints on them."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from PIL import Image

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import AgnosticError, InputError, ItemError, ModelError, UsageError
from agnostic.training.checkpoints import find_checkpoints, record_checkpoints, scores_of
from agnostic.training.data import Columns, Pictures, Texts, arrays, as_pixels
from agnostic.training.data_files import open_data

Open = Callable[..., Model]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    for number, name in enumerate(("cat/1.png", "cat/2.png", "ant/1.png", "ant/deep/2.png")):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (60 * number, 0, 0)).save(path)
    (root / "cat" / "notes.txt").write_text("not a picture")
    return root


def test_a_folder_has_one_folder_for_each_class(folder: Path) -> None:
    data = open_data(folder)
    assert isinstance(data, Pictures)
    assert data.names == ("ant/1.png", "ant/deep/2.png", "cat/1.png", "cat/2.png")
    assert (data.labels.tolist(), data.class_names) == ([0, 0, 1, 1], ("ant", "cat"))
    assert open_data(folder, classes=("cat", "dog", "Ant")).labels.tolist() == [2, 2, 0, 0]
    picture = data.shown(1).picture
    assert picture is not None and picture.shape == (6, 8, 3) and picture[0, 0].tolist() == [180, 0, 0]


def test_pictures_reach_the_model_as_its_preprocessing_says(folder: Path, opened: Open) -> None:
    text = "g (float[n,3,2,2] x) => (float[n,3] y) { p = GlobalAveragePool(x) y = Flatten(p) }"
    facts = '{"size": [2, 2], "scale": 0.5, "mean": [1.0]}'
    model = opened(text, metadata={"agnostic.preprocess": facts})
    rows = open_data(folder).rows(model, np.array([0, 2]))
    np.testing.assert_allclose(rows["x"][:, 0, 0, 0], [120 * 0.5 - 1, -1])
    pixels = arrays(np.full((2, 6, 8, 3), 60, np.uint8), [0, 1])
    np.testing.assert_allclose(pixels.rows(model, np.array([1]))["x"], np.full((1, 3, 2, 2), 29))


def test_a_list_of_labels_names_files_inside_only(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,label\ncat/1.png,7\nant/1.png,2\n")
    data = open_data(folder)
    assert (data.names, data.labels.tolist()) == (("cat/1.png", "ant/1.png"), [7, 2])
    for name in ("../secret.png", "cat/none.png"):
        (folder / "labels.csv").write_text(f"file,label\n{name},0\n")
        with pytest.raises(InputError, match="is no file in"):
            open_data(folder)


def test_an_archive_holds_arrays_and_nothing_pickled(tmp_path: Path, opened: Open) -> None:
    x, y = np.arange(12, dtype=np.float32).reshape(4, 3), np.array([0, 1, 2, 0])
    np.savez(tmp_path / "one.npz", x=x, y=y)
    np.savez_compressed(tmp_path / "two.npz", a=x, b=2 * x, labels=np.array(["u", "v", "u", "u"]))
    model = opened("g (float[n,3] a, float[n,3] b) => (float[n,3] y) { y = Add(a, b) }")
    np.testing.assert_array_equal(open_data(tmp_path / "one.npz").rows(model, np.array([3]))["a"], x[3:])
    two = open_data(tmp_path / "two.npz")
    np.testing.assert_array_equal(two.rows(model, np.array([1, 2]))["b"], 2 * x[1:3])
    assert (two.labels.tolist(), two.class_names) == ([0, 1, 0, 0], ("u", "v"))
    np.savez(tmp_path / "bad.npz", x=np.array([{}], object), y=y)
    np.savez(tmp_path / "short.npz", x=x[:3], y=y)
    np.savez(tmp_path / "none.npz", x=x)
    (tmp_path / "text.npz").write_text("not an archive")
    for name, said in (
        ("bad", "not an archive of plain arrays"), ("short", "4 labels"), ("none", "expected the arrays x and y"),
        ("text", "not an archive"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            open_data(tmp_path / f"{name}.npz")


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(10**6))
    monkeypatch.setattr("agnostic.training.data_files.LARGEST", 10**5)
    with pytest.raises(InputError, match="unpacks to"):
        open_data(tmp_path / "bomb.npz")


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_tables_feed_one_input_or_one_for_each_column(tmp_path: Path, opened: Open, ending: str) -> None:
    path = tmp_path / f"table.{ending}"
    if ending != "parquet":
        path.write_text("w,h,kind\n1,2,yes\n3,4.5,no\n".replace(",", "\t" if ending == "tsv" else ","))
    else:
        parquet.write_table(pyarrow.table({"w": [1, 3], "h": [2, 4.5], "kind": ["yes", "no"]}), path)
    data = open_data(path, label_column="kind")
    assert isinstance(data, Columns)
    assert (data.labels.tolist(), data.class_names) == ([1, 0], ("no", "yes"))
    assert data.shown(1).values == (("w", "3"), ("h", "4.5"))
    side = opened("g (float[n,2] x) => (float[n,2] y) { y = Identity(x) }")
    np.testing.assert_array_equal(data.rows(side, np.array([1]))["x"], [[3, 4.5]])
    each = opened("g (float[n,1] w, float[n,1] h) => (float[n,1] y) { y = Add(w, h) }")
    assert data.rows(each, np.array([0, 1]))["h"].tolist() == [[2], [4.5]]
    other = opened("g (float[n,1] w, float[n,1] z) => (float[n,1] y) { y = Add(w, z) }")
    with pytest.raises(InputError, match="has the input 'z', the table no such column"):
        data.rows(other, np.array([0]))
    with pytest.raises(UsageError, match="unknown column"):
        open_data(path, label_column="sort")


def test_texts_stay_texts(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "texts.csv"
    path.write_text('text,label\n"good, really",1\n<b>bad</b>,0\n')
    data = open_data(path)
    assert isinstance(data, Texts) and data.shown(1).text == "<b>bad</b>"
    with pytest.raises(InputError, match="no input of the model does"):
        data.rows(opened("g (float[n,2] x) => (float[n,2] y) { y = Identity(x) }"), np.array([0]))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,label\n1,0\n2\n", "line 3 has 1 cells"),
        ("a,label\n", "there is no row in it"),
        ("a,a,label\n1,2,0\n", "two columns are called 'a'"),
        ("1,0\n2,0\n", "expected a header of names"),
        ("a,label\nnan,0\n", "missing or infinite"),
        ("label\n0\n", "no column but the labels"),
    ],
)
def test_broken_tables_are_said_to_be(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(AgnosticError, match=said):
        open_data(tmp_path / "t.csv")


def test_what_is_no_data_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.pkl").touch()
    for path, said in (
        (tmp_path / "none", "no such file"),
        (tmp_path / "x.pkl", "expected a folder"),
        (tmp_path, "one folder"),
    ):
        with pytest.raises(InputError, match=said):
            open_data(path)
    for labels in ([-1, 0], [0.5, 1], [[0, 1]]):
        with pytest.raises(InputError, match="expected class numbers from 0"):
            arrays(np.zeros((2, 3)), labels)


def test_arrays_that_have_the_axes_of_a_picture_are_shown_as_one() -> None:
    ramp = np.linspace(-1, 1, 64).reshape(1, 8, 8)
    seen = as_pixels(ramp, -1, 1)
    assert seen is not None and seen.shape == (8, 8, 3) and (seen[0, 0, 0], seen[-1, -1, 0]) == (0, 255)
    assert as_pixels(np.zeros((8, 8, 3)), 0, 1) is not None
    assert as_pixels(np.zeros(64), 0, 1) is None and as_pixels(np.zeros((5, 8, 8)), 0, 1) is None
    rows = arrays(np.zeros((2, 300)), [0, 1]).shown(0).values
    assert rows is not None and len(rows) == 200


def scaled(factor: float, classes: int = 3) -> Any:
    from onnx import helper, numpy_helper, parser

    graph = parser.parse_graph(f"g (float[n,3] x) => (float[n,{classes}] y) {{ y = MatMul(x, w) }}")
    graph.initializer.append(numpy_helper.from_array((factor * np.eye(3, classes)).astype(np.float32), "w"))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    for number in (1, 2, 10):
        (tmp_path / "models" / f"e{number}.onnx").write_bytes(scaled(number).SerializeToString())
    return tmp_path / "models"


def test_checkpoints_come_in_the_order_of_their_numbers(checkpoints: Path, tmp_path: Path) -> None:
    assert [path.stem for path in find_checkpoints([checkpoints])] == ["e1", "e2", "e10"]
    assert [path.stem for path in find_checkpoints([checkpoints / "e10.onnx", checkpoints / "e1.onnx"])] == [
        "e10",
        "e1",
    ]
    with pytest.raises(InputError, match=r"holds no \.onnx file"):
        find_checkpoints([tmp_path])
    with pytest.raises(InputError, match="no checkpoint was given"):
        find_checkpoints([])


def test_a_run_from_checkpoints_resumes_and_knows_what_it_is_of(checkpoints: Path, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32), np.arange(30) % 3
    files, out = find_checkpoints([checkpoints]), tmp_path / "run"
    seen: list[tuple[int, int, str]] = []
    record_checkpoints(files[:2], arrays(x, y), out, batch_size=7)
    run = record_checkpoints(files, arrays(x, y), out, batch_size=7, progress=lambda *told: seen.append(told))
    assert run.epochs == 3 and {name for _, _, name in seen} == {"e10.onnx"} and seen[-1][0] == 90
    expected = 10.0 * x - (10.0 * x).max(axis=1, keepdims=True)
    np.testing.assert_allclose(run.block(0, 30).logits[2], expected, rtol=1e-3, atol=1e-6)
    with pytest.raises(InputError, match=r"made from another checkpoint than e2\.onnx"):
        record_checkpoints(files[1:], arrays(x, y), out)
    with pytest.raises(InputError, match=r"made from another data set than e1\.onnx"):
        record_checkpoints(files, arrays(-x, y), out)


def test_models_that_do_not_fit_are_refused(checkpoints: Path, tmp_path: Path, opened: Open) -> None:
    x = np.ones((4, 3), np.float32)
    with pytest.raises(InputError, match="sample 3 has the label 3; the model has the classes 0 to 2"):
        record_checkpoints([checkpoints], arrays(x, [0, 1, 2, 3]), tmp_path / "run")
    (checkpoints / "e11.onnx").write_bytes(scaled(1, classes=2).SerializeToString())
    with pytest.raises(ModelError, match="has 2 classes, the first has 3"):
        record_checkpoints([checkpoints], arrays(x, [0, 1, 0, 1]), tmp_path / "other")
    with pytest.raises(ItemError, match="NaN or infinite"):
        scores_of(opened("g (float[n,3] x) => (float[n,3] y) { y = Log(x) }"), {"x": -x})
    with pytest.raises(ModelError, match="one row of class scores"):
        scores_of(
            opened("g (float[n,3,2] x) => (float[n,3,2] y) { y = Relu(x) }"), {"x": np.ones((1, 3, 2), np.float32)}
        )
    single = scores_of(opened("g (float[n,1] x) => (float[n,1] y) { y = Identity(x) }"), {"x": np.float32([[2], [-1]])})
    np.testing.assert_array_equal(single, [[0, 2], [0, -1]])


def test_the_package_is_reached_from_the_top() -> None:
    assert agnostic.training.Recorder is not None and callable(agnostic.training.tidy.tidy)
    assert set(agnostic.training.__all__) <= set(dir(agnostic.training))
    with pytest.raises(AttributeError, match="has no attribute 'magic'"):
        _ = agnostic.training.magic

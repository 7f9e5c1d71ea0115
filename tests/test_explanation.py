import dataclasses
import errno
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from agnostic.errors import InputError, LimitError, UsageError
from agnostic.explanation import Explanation, write_whole

RANDOM = np.random.default_rng(0)


def picture_explanation(**changes: Any) -> Explanation:
    labels = (np.arange(8)[:, None] // 4 * 2 + np.arange(8) // 4).astype(np.int32)
    given: dict[str, Any] = {
        "values": RANDOM.normal(size=(8, 8)).astype(np.float32),
        "base_value": float("nan"),
        "target": "tabby, tabby cat",
        "method": "lime",
        "meta": {"score": 1.5, "settings": {"samples": 9, "window": [3, 4]}, "seed": 0, "parity": None, "name": "Käse"},
        "picture": RANDOM.integers(0, 256, (16, 16, 3), np.uint8),
        "segments": labels,
        "weights": np.array([1, -2, 0.5, 0], np.float32),
        "data": RANDOM.normal(size=(3, 8, 8)).astype(np.float32),
    }
    return Explanation(**{**given, **changes})


def row_explanation(**changes: Any) -> Explanation:
    given: dict[str, Any] = {
        "values": np.array([0.5, -2.0, 0.0], np.float32),
        "base_value": 0.25,
        "target": "price",
        "method": "occlusion",
        "meta": {"score": 1.0, "feature_names": ["age", "<b>rooms</b>", "tax"]},
        "data": np.array([30.0, 4.0, 7.0], np.float32),
    }
    return Explanation(**{**given, **changes})


@pytest.mark.parametrize("made", [picture_explanation, row_explanation])
@pytest.mark.parametrize("base", [float("nan"), 0.1, -1e300])
def test_what_is_saved_loads_equal_to_the_last_bit(made: Any, base: float, tmp_path: Path) -> None:
    original = made(base_value=base)
    original.save(tmp_path / "e.safetensors")
    loaded = Explanation.load(str(tmp_path / "e.safetensors"))
    assert loaded == original
    for name in ("values", "picture", "segments", "weights", "data"):
        mine, theirs = getattr(original, name), getattr(loaded, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.tobytes() == theirs.tobytes() and mine.dtype == theirs.dtype and mine.shape == theirs.shape
    assert np.array_equal(loaded.base_value, base, equal_nan=True)
    assert loaded.meta == json.loads(json.dumps(original.meta))


def test_a_record_is_an_ordinary_safetensors_file_with_a_json_header(tmp_path: Path) -> None:
    row_explanation().save(tmp_path / "e.safetensors")
    with safe_open(tmp_path / "e.safetensors", framework="numpy") as file:
        header = file.metadata()
        assert sorted(file.keys()) == ["base_value", "data", "values"]
    assert header["format"] == "agnostic.explanation.1"
    assert json.loads(header["record"])["target"] == "price"


def test_saving_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        dataclasses.replace(row_explanation(), meta={"b": 1, "a": 2} if name == "a" else {"a": 2, "b": 1}).save(
            tmp_path / name
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_arrays_in_any_memory_order_are_saved(tmp_path: Path) -> None:
    original = picture_explanation(values=np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4))[::-1])
    original.save(tmp_path / "e")
    assert Explanation.load(tmp_path / "e") == original


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "x"}, {"method": "x"}, {"base_value": 1.0}, {"meta": {}}, {"weights": None},
        {"values": np.zeros((8, 8), np.float32)}, {"data": np.zeros((3, 8, 8), np.float32)},
    ],
)  # fmt: skip
def test_one_difference_makes_two_explanations(changes: dict[str, Any]) -> None:
    original = picture_explanation()
    assert original == dataclasses.replace(original)
    assert original != dataclasses.replace(original, **changes)
    assert original != "an explanation"


def test_explanations_cannot_be_changed_or_hashed() -> None:
    values = np.zeros((2, 2), np.float32)
    meta = {"a": 1}
    e = Explanation(values, 0.0, "t", "m", meta)
    with pytest.raises(dataclasses.FrozenInstanceError):
        e.target = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        e.values[0, 0] = 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(e)
    meta["a"] = 2
    assert e.meta == {"a": 1}
    values[0, 0] = 1
    assert values.flags.writeable, "the caller's array stays the caller's"


def test_explanations_travel_between_processes() -> None:
    e = picture_explanation()
    assert pickle.loads(pickle.dumps(e)) == e


def test_the_short_form_names_method_target_and_size() -> None:
    assert repr(picture_explanation()) == "Explanation(lime of 'tabby, tabby cat': 8 x 8 values)"
    assert repr(row_explanation()) == "Explanation(occlusion of 'price': 3 values)"


def write_foreign(path: Path, kind: str) -> None:
    values, base = np.zeros(2, np.float32), np.zeros(())
    record = json.dumps({"target": "t", "method": "m", "meta": {}})
    mark = {"format": "agnostic.explanation.1", "record": record}
    match kind:
        case "text":
            path.write_text("hello")
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "weights":
            save_file({"w": values}, path)
        case "newer":
            save_file({"values": values, "base_value": base}, path, {**mark, "format": "agnostic.explanation.9"})
        case "no values":
            save_file({"base_value": base}, path, mark)
        case "no base":
            save_file({"values": values}, path, mark)
        case "no record":
            save_file({"values": values, "base_value": base}, path, {"format": mark["format"]})
        case "no json":
            save_file({"values": values, "base_value": base}, path, {**mark, "record": "{"})
        case "a list":
            save_file({"values": values, "base_value": base}, path, {**mark, "record": "[1]"})
        case "more":
            save_file({"values": values, "base_value": base, "extra": base}, path, mark)


FOREIGN = ["missing", "text", "empty", "folder", "weights", "newer", "no values", "no base", "no record", "no json"]


@pytest.mark.parametrize("kind", [*FOREIGN, "a list", "more"])
def test_foreign_files_are_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    write_foreign(path, kind)
    with pytest.raises(InputError) as caught:
        Explanation.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_truncated_record_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    row_explanation().save(tmp_path / "e")
    whole = (tmp_path / "e").read_bytes()
    for end in range(0, len(whole), 17):
        (tmp_path / "cut").write_bytes(whole[:end])
        with pytest.raises(InputError):
            Explanation.load(tmp_path / "cut")


@contextmanager
def nobody() -> Iterator[None]:
    """Act as a user without rights: to root, no folder is read-only."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are of another kind there")
def test_a_read_only_folder_is_a_limit_and_stays_empty() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with (
            nobody(),
            pytest.raises(LimitError, match=r"e: cannot be written: Permission denied; choose a"),
        ):
            row_explanation().save(folder / "e")
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize("where", ["missing/e", "file/e", "folder"])
def test_what_cannot_hold_a_file_is_a_limit(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(LimitError, match="cannot be written"):
        row_explanation().save(tmp_path / where)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_the_old_file_and_nothing_else(
    failure: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise failure

    (tmp_path / "e").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", failing)
    expected = LimitError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_whole(tmp_path / "e", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("e", b"old")]


def test_a_file_is_replaced_whole_with_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    (tmp_path / "e").write_bytes(b"old")
    write_whole(tmp_path / "e", b"new")
    assert (tmp_path / "e").read_bytes() == b"new"
    assert (tmp_path / "e").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_notebooks_show_a_picture_of_a_picture_and_a_table_of_a_row() -> None:
    shown = picture_explanation()
    assert (shown._repr_png_() or b"").startswith(b"\x89PNG")
    assert shown._repr_html_() is None
    assert row_explanation()._repr_png_() is None
    table = row_explanation()._repr_html_() or ""
    assert table.index("rooms") < table.index("age") < table.index("tax"), "strongest first"
    assert "<td>-2</td>" in table and "<td>+0.5</td>" in table


def test_names_are_escaped_in_notebooks() -> None:
    bad = "<script>alert(1)</script>"
    table = row_explanation(target=bad, method='"><img src=x>')._repr_html_() or ""
    assert "<script>" not in table and "<img" not in table and "<b>" not in table
    assert "&lt;b&gt;rooms&lt;/b&gt;" in table and "&lt;script&gt;" in table


def test_a_row_in_groups_is_tabled_by_group() -> None:
    e = row_explanation(weights=np.array([3, -4], np.float32), meta={"feature_names": ["left", "right"]})
    table = e._repr_html_() or ""
    assert table.index("right") < table.index("left") and "<td>-4</td>" in table


def test_a_figure_of_no_picture_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Explanation\(occlusion of 'price': 3 values\) is not of a picture; read"):
        row_explanation().figure()


def test_shap_reads_rows() -> None:
    converted = row_explanation().to_shap()
    assert type(converted).__module__.startswith("shap")
    assert converted.values.tolist() == [0.5, -2, 0]
    assert converted.base_values == 0.25
    assert converted.data.tolist() == [30, 4, 7]
    assert converted.feature_names == ["age", "<b>rooms</b>", "tax"]
    assert converted[1].values == -2 and converted[1].data == 4
    assert converted.abs.values.tolist() == [0.5, 2, 0]


def test_shap_reads_the_pieces_of_a_picture_and_maps() -> None:
    names = ["a", "b", "c", "d"]
    converted = picture_explanation(meta={"feature_names": names}).to_shap()
    assert (converted.values.tolist(), converted.feature_names) == ([1, -2, 0.5, 0], names)
    assert converted.data is None and np.isnan(converted.base_values)
    e = picture_explanation(weights=None, segments=None)
    assert np.array_equal(e.to_shap().values, e.values)


def test_without_shap_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(UsageError, match=r"pip install 'agnostic-xai\[shap\]'"):
        row_explanation().to_shap()

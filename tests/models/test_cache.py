"""A cached model is used only when its bytes are the expected ones, and appears whole or not at all."""

import stat
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from agnostic.errors import LimitError
from agnostic.models import cache

DATA = b"a model"
DIGEST = sha256(DATA).hexdigest()


class Builder:
    """Builds the data and counts how often it was asked."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data, self.calls = data, 0

    def __call__(self) -> bytes:
        self.calls += 1
        return self.data


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_built_once() -> None:
    build = Builder()
    paths = {cache.built("m.onnx", DIGEST, build) for _ in range(3)}
    assert [path.read_bytes() for path in paths] == [DATA]
    assert build.calls == 1


@pytest.mark.parametrize("found", [b"", DATA[:-1], b"another model"])
def test_a_damaged_file_is_built_again(folder: Path, found: bytes) -> None:
    folder.mkdir()
    (folder / "m.onnx").write_bytes(found)
    build = Builder()
    assert cache.built("m.onnx", DIGEST, build).read_bytes() == DATA
    assert build.calls == 1


def test_a_file_of_other_bytes_is_never_read_back() -> None:
    build = Builder(b"written by another version")
    for _ in range(2):
        assert cache.built("m.onnx", DIGEST, build).read_bytes() == build.data
    assert build.calls == 2


def test_a_link_is_replaced_and_what_it_points_to_is_left_alone(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (folder / "m.onnx").symlink_to(tmp_path / "elsewhere")
    assert cache.built("m.onnx", DIGEST, Builder()).read_bytes() == DATA
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
def test_the_folder_and_the_file_are_their_owners_alone(folder: Path) -> None:
    path = cache.built("m.onnx", DIGEST, Builder())
    assert [stat.S_IMODE(each.stat().st_mode) for each in (folder, path)] == [0o700, 0o600]


def test_a_failed_build_leaves_nothing(folder: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no weights")

    with pytest.raises(RuntimeError, match="no weights"):
        cache.built("m.onnx", DIGEST, fail)
    assert not folder.exists()


def test_a_failed_write_leaves_the_old_file_and_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    folder.mkdir()
    (folder / "m.onnx").write_bytes(b"old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LimitError, match=r"cannot write .*: No space left on device; set AGNOSTIC_CACHE"):
        cache.built("m.onnx", DIGEST, Builder())
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("m.onnx", b"old")]


def test_a_folder_that_cannot_be_made_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LimitError, match="set AGNOSTIC_CACHE to a folder that can be written"):
        cache.built("m.onnx", DIGEST, Builder())


@pytest.mark.parametrize(
    ("platform", "variable", "value", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "{tmp}/xdg", "{tmp}/xdg/agnostic"),
        ("linux", "XDG_CACHE_HOME", "relative", "{tmp}/.cache/agnostic"),
        ("linux", "XDG_CACHE_HOME", "", "{tmp}/.cache/agnostic"),
        ("darwin", "XDG_CACHE_HOME", "{tmp}/xdg", "{tmp}/Library/Caches/agnostic"),
        ("win32", "LOCALAPPDATA", "{tmp}/local", "{tmp}/local/agnostic"),
        ("win32", "LOCALAPPDATA", "", "{tmp}/AppData/Local/agnostic"),
    ],
)
def test_each_platform_has_its_place(
    platform: str, variable: str, value: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AGNOSTIC_CACHE")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv(variable, value.format(tmp=tmp_path))
    assert cache.folder() == Path(expected.format(tmp=tmp_path))

from pathlib import Path

import pytest

from agnostic.errors import LimitError
from agnostic.files import cache_folder, write_whole


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.setenv("AGNOSTIC_CACHE", "~/mine")
    assert cache_folder() == Path.home() / "mine"


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(LimitError, match="cannot be written: Is a directory"):
        write_whole(tmp_path / "x", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]

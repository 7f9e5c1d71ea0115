import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agnostic.converters import isolation
from agnostic.errors import ConversionError, LimitError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of one's own, and an environment without packages: pip has nothing to fetch."""
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path))
    monkeypatch.setattr(isolation, "pins", lambda name: "# nothing\n" if name in isolation.names() else _unknown(name))
    return tmp_path / "environments"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make environments without pip, which takes seconds to unpack."""
    call = isolation._call

    def without_pip(command: list[str], name: str, say: Any) -> None:
        if "venv" in command:
            call([*command, "--without-pip"], name, say)

    monkeypatch.setattr(isolation, "_call", without_pip)


def _unknown(name: str) -> str:
    raise UsageError(f"unknown environment {name!r}")


def test_an_environment_is_made_once_used_and_removed(cache: Path) -> None:
    said: list[str] = []
    assert isolation.find("torch") is None and isolation.made() == []
    first = isolation.make("torch", said.append)
    assert said and "making the private environment 'torch'" in said[0]
    done = subprocess.run([first.python, "-I", "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    assert Path(done.stdout.strip()).resolve() == first.folder.resolve()
    started = time.perf_counter()
    assert isolation.make("torch", said.append) == first == isolation.find("torch")
    assert time.perf_counter() - started < 1 and len(said) == 1
    assert [entry.name for entry in isolation.made()] == ["torch"] and first.is_current and first.megabytes > 5
    assert first.folder.stat().st_mode & 0o077 == 0, "nobody else may put packages there"
    assert isolation.remove("torch") == [first]
    assert list(cache.iterdir()) == [] and isolation.made() == []


@pytest.mark.parametrize(
    "left", [None, "", '{"name": "torch"}', '{"name": "torch", "megabytes": "many", "packages": []}']
)
@pytest.mark.usefixtures("quick")
def test_a_half_made_environment_is_never_used(left: str | None, cache: Path) -> None:
    folder = isolation._folder("torch")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("#!/bin/sh\nexit 7\n")
    if left is not None:
        (folder / "complete.json").write_text(left)
    assert isolation.find("torch") is None
    assert subprocess.run([isolation.make("torch").python, "-c", ""]).returncode == 0


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), ConversionError("pip failed")])
@pytest.mark.usefixtures("quick")
def test_an_interrupt_or_a_failure_leaves_nothing_behind(
    failure: BaseException, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(command: list[str], name: str, say: Any) -> None:
        if "pip" in command:
            raise failure
        isolation_call(command, name, say)

    isolation_call = isolation._call
    monkeypatch.setattr(isolation, "_call", call)
    with pytest.raises(type(failure)):
        isolation.make("torch")
    assert [path.suffix for path in cache.iterdir()] == [".lock"] and isolation.made() == []


def test_what_pip_says_is_passed_on() -> None:
    with pytest.raises(
        ConversionError, match=r"'torch' cannot be installed on Python 3.*No matching distribution.*look at the"
    ):
        isolation._call(
            [sys.executable, "-c", "print('ERROR: No matching distribution'); raise SystemExit(1)"], "torch", print
        )
    with pytest.raises(LimitError, match="the disk is full"):
        isolation._call(
            [sys.executable, "-c", "print('ERROR: No space left on device'); raise SystemExit(1)"], "torch", print
        )


@pytest.mark.usefixtures("quick")
def test_other_pins_make_another_environment_and_the_old_one_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    old = isolation.make("torch")
    monkeypatch.setattr(isolation, "pins", lambda name: "# other pins\n")
    assert isolation.find("torch") is None
    assert [(entry.folder, entry.is_current) for entry in isolation.made()] == [(old.folder, False)]


HOLD = """
import sys
from pathlib import Path
from agnostic.converters import isolation
with isolation._locked(Path(sys.argv[1]), print):
    print("taken", flush=True)
    sys.stdin.readline()
"""


def test_two_runs_do_not_build_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "x.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None and other.stdout.readline() == "taken\n"
        said: list[str] = []

        def say(line: str) -> None:
            said.append(line)
            other.communicate("let go\n")

        with isolation._locked(tmp_path / "x.lock", say):
            assert said == ["another run is making this environment; waiting for it"]


def test_a_cache_that_cannot_be_written_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path / "file"))
    with pytest.raises(LimitError, match="set AGNOSTIC_CACHE"):
        isolation.make("torch")


def test_the_pins_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name in isolation.names():
        lines = [line.partition(";")[0].strip() for line in isolation.pins(name).splitlines() if line[:1] != "#"]
        assert all(line.count("==") == 1 for line in lines), name
        assert {"numpy", "onnx"} <= {line.partition("==")[0] for line in lines}, name
    with pytest.raises(UsageError, match="unknown environment 'pytorch'"):
        isolation.pins("pytorch")


@pytest.mark.usefixtures("quick")
def test_a_made_environment_is_described(cache: Path) -> None:
    content = json.loads((isolation.make("jax").folder / "complete.json").read_text())
    assert content == {"name": "jax", "megabytes": content["megabytes"], "packages": []}

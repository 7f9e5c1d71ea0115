import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agnostic.kernels
from agnostic.kernels._jit import jit

ROOM = Path(agnostic.kernels.__file__).parent
HERE = Path.cwd()
MEANS = """
import numpy as np
from agnostic.kernels import segment_means
print(segment_means(np.array([[[1, 3, 9]]]), np.array([[0, 0, 1]])))
"""


def run(code: str, at: Path = HERE, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that looks for modules in `at` first; a value of "" unsets the variable."""
    merged = {name: value for name, value in {**os.environ, **environment}.items() if value}
    return subprocess.run([sys.executable, "-c", code], cwd=at, env=merged, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A second installation of the kernels, with an empty cache."""
    (tmp_path / "site" / "agnostic").mkdir(parents=True)
    (tmp_path / "site" / "agnostic" / "__init__.py").touch()
    shutil.copytree(ROOM, tmp_path / "site" / "agnostic" / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "site"


@pytest.fixture(scope="module")
def answer() -> str:
    return run(MEANS).stdout


def test_private_cache_folder_is_made_and_used(tmp_path: Path, answer: str) -> None:
    done = run(MEANS, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.stdout, done.stderr) == (answer, "")
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert list((tmp_path / "cache").rglob("*.nbc"))


@pytest.mark.parametrize("mode", [0o770, 0o1777])
def test_cache_folder_that_others_can_write_is_left_alone(tmp_path: Path, mode: int, answer: str) -> None:
    tmp_path.chmod(mode)
    done = run(MEANS, NUMBA_CACHE_DIR=str(tmp_path))
    assert done.stdout == answer
    assert done.stderr.count("RuntimeWarning") == 1
    assert "chmod 700 it, or unset NUMBA_CACHE_DIR" in done.stderr
    assert not list(tmp_path.rglob("*"))


def test_installation_without_a_writable_cache_compiles_without_one(copy: Path, answer: str) -> None:
    # Files where Numba wants folders stop every user, the superuser too.
    (copy / "agnostic" / "kernels" / "__pycache__").touch()
    (copy / "home").touch()
    environment = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": ""}
    done = run(MEANS, at=copy, **environment)
    assert (done.stdout, done.stderr) == (answer, "")


def test_cache_folder_that_cannot_be_made_is_done_without(tmp_path: Path, answer: str) -> None:
    (tmp_path / "file").touch()
    done = run(MEANS, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert (done.stdout, done.stderr) == (answer, "")


def test_files_imported_under_another_name_leave_the_cache_alone(copy: Path, answer: str) -> None:
    other = copy / "agnostic"
    elsewhere = MEANS.replace("agnostic.kernels", "kernels.superpixels")
    assert run(elsewhere, at=other, PYTHONPATH=str(copy)).stdout == answer
    assert not list((other / "kernels").rglob("superpixels*.nbi"))
    assert run(MEANS, at=copy).stdout == answer
    assert list((other / "kernels").rglob("superpixels*.nbi"))


def test_division_by_zero_follows_numpy() -> None:
    divide = jit(lambda a, b: a / b)
    assert np.isnan(divide(0.0, 0.0)) and divide(1.0, 0.0) == np.inf

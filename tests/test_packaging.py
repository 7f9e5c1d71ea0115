import importlib
import importlib.metadata
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
BESIDE = {name: folder for name, folder in SETUPTOOLS["package-dir"].items() if name != folder}


def test_every_package_is_listed() -> None:
    found = {
        ".".join((package, *init.parent.relative_to(ROOT / folder).parts))
        for package, folder in SETUPTOOLS["package-dir"].items()
        for init in (ROOT / folder).rglob("__init__.py")  # rglob does not enter the links
    }
    assert found == set(SETUPTOOLS["packages"])


@pytest.mark.parametrize(("package", "folder"), BESIDE.items())
def test_links_show_the_same_tree_under_its_real_name(package: str, folder: str) -> None:
    link = ROOT.joinpath(*package.split("."))
    assert link.is_symlink() and not link.readlink().is_absolute()
    assert link.resolve() == ROOT / folder


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_every_package_is_imported_under_its_name(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__name__ == package and module.__doc__
    assert Path(module.__file__ or "").resolve().is_relative_to(ROOT)


def test_the_command_exists() -> None:
    module, _, function = PROJECT["project"]["scripts"]["agnostic"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def data_files(folder: Path) -> set[Path]:
    """The files of a package that are no code."""
    code = {".py", ".pyc", ".nbi", ".nbc"}
    return {path for path in folder.rglob("*") if path.is_file() and path.suffix not in code}


@pytest.mark.parametrize("package", ["agnostic", *BESIDE])
def test_every_data_file_is_packed_and_every_pattern_finds_one(package: str) -> None:
    folder = ROOT / SETUPTOOLS["package-dir"][package]
    patterns = SETUPTOOLS["package-data"].get(package, [])
    packed = {pattern: set(folder.glob(pattern)) for pattern in patterns}
    assert all(packed.values()), packed
    assert set().union(*packed.values()) >= data_files(folder)


def test_the_data_has_what_the_manifest_promises() -> None:
    import json

    manifest = json.loads((ROOT / "models" / "manifest.json").read_text(encoding="utf-8"))
    files = {entry["file"] for entry in manifest["pictures"].values()}
    files |= {entry["file"] for entry in manifest["models"].values() if entry["embedded"]}
    packed = {str(path.relative_to(ROOT / "models")) for path in data_files(ROOT / "models")}
    assert files and files <= packed


def test_licence_patterns_find_files() -> None:
    for pattern in PROJECT["project"]["license-files"]:
        assert list(ROOT.glob(pattern)), pattern


def test_the_version_is_said_once_and_the_same() -> None:
    import agnostic

    assert agnostic.__version__ == PROJECT["project"]["version"]
    assert importlib.metadata.version(PROJECT["project"]["name"]) == agnostic.__version__


def test_the_extra_all_holds_the_users_extras() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    inside = set(extras["all"][0].partition("[")[2].rstrip("]").split(","))
    assert inside <= set(extras)
    assert {"grad", "shap"} <= inside

import subprocess
import sys

import pytest

import agnostic.draw


def test_every_exported_name_is_there() -> None:
    assert sorted(agnostic.draw.__all__) == agnostic.draw.__all__ == sorted(agnostic.draw._HOMES)
    for name in agnostic.draw.__all__:
        assert getattr(agnostic.draw, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sprite'"):
        agnostic.draw.sprite  # noqa: B018


def test_importing_the_package_does_not_import_pillow() -> None:
    code = "import sys, agnostic.draw; sys.exit('PIL' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

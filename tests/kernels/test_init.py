import subprocess
import sys

import pytest

import agnostic.kernels


def test_importing_the_room_loads_neither_numba_nor_numpy() -> None:
    code = "import sys, agnostic.kernels; raise SystemExit('numba' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_found_in_the_module_it_is_said_to_live_in() -> None:
    assert dir(agnostic.kernels) == sorted(agnostic.kernels.__all__) == sorted(agnostic.kernels._HOMES)
    for name in agnostic.kernels.__all__:
        function = getattr(agnostic.kernels, name)
        assert function.__module__ == f"agnostic.kernels.{agnostic.kernels._HOMES[name]}"
        assert function.__doc__.count(">>> ") >= 1, f"{name} shows no example"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'agnostic\.kernels' has no attribute 'quickshift'"):
        _ = agnostic.kernels.quickshift

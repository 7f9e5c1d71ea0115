import subprocess
import sys
import textwrap

import pytest

import agnostic


def run(code: str) -> str:
    """Run code in a fresh interpreter; what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_name_is_there_and_listed_in_order() -> None:
    assert agnostic.__all__ == sorted(agnostic.__all__)
    for name in agnostic.__all__:
        assert getattr(agnostic, name) is not None
        assert name in dir(agnostic)


@pytest.mark.parametrize(
    "name", [name for name in agnostic.__all__ if name not in ("converters", "models", "training")]
)
def test_every_name_is_documented(name: str) -> None:
    assert (getattr(agnostic, name).__doc__ or "").strip()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'agnostic' has no attribute 'lime'"):
        _ = agnostic.lime  # type: ignore[attr-defined]


def test_importing_brings_nothing_heavy() -> None:
    heavy = ["numpy", "torch", "onnx", "onnxruntime", "numba", "PIL", "rich", "typer", "safetensors"]
    code = f"""
        import sys
        import agnostic
        print([name for name in {heavy} if name in sys.modules])
        agnostic.load
        print([name for name in ["torch", "onnxruntime", "numba", "PIL", "rich", "typer"] if name in sys.modules])
    """
    assert run(code).split("\n")[:2] == ["[]", "[]"]


def test_methods_without_gradients_work_where_torch_is_missing() -> None:
    code = """
        import sys

        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] == "torch":
                    raise ImportError("torch is blocked")

        sys.meta_path.insert(0, Blocker())
        import agnostic
        model, picture = agnostic.load("squeezenet", device="cpu"), agnostic.models.picture("chelsea")
        few = {"lime": {"samples": 12}, "kernelshap": {"samples": 12}, "occlusion": {"window": 150, "stride": 74}}
        for row in model.methods():
            if row.name in few or row.name in ("cam", "eigencam"):
                e = agnostic.explain(model, picture, row.name, "tabby", features="grid:2", **few.get(row.name, {}))
                print(row.name, e.values.shape)
        print("torch" in sys.modules)
    """
    *explained, last = run(code).splitlines()
    assert [line.split()[0] for line in explained] == ["cam", "eigencam", "kernelshap", "lime", "occlusion"]
    assert {line.split(maxsplit=1)[1] for line in explained} == {"(224, 224)"}
    assert last == "False"

"""Any framework to ONNX, ONNX surgery, and the one guarded way to read a model file.

Importing this package costs nothing: a module of the room is imported when it is first named.
"""

from importlib import import_module
from types import ModuleType

_MODULES = (
    "batch",
    "cam",
    "graph",
    "layers",
    "loader",
    "normalise",
    "softmax",
    "surgery",
    "torch_import",
    "verify",
)


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted(_MODULES)

"""The interpretability engine for ONNX models: why did it say that, and what has it learned?

>>> import agnostic
>>> model = agnostic.load("squeezenet")
>>> e = agnostic.explain(model, agnostic.models.picture("chelsea"), method="cam", target="Egyptian cat")
>>> e.values.shape
(224, 224)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agnostic import converters, models, training
    from agnostic.agreement import consensus
    from agnostic.api import explain
    from agnostic.converters.converting import convert
    from agnostic.engine.model import Model
    from agnostic.engine.opening import load
    from agnostic.engine.target import Target
    from agnostic.errors import AgnosticError
    from agnostic.explanation import Explanation
    from agnostic.gallery import figure
    from agnostic.summarizing import summarize
    from agnostic.summary import Summary

__version__ = "0.1.0"
__all__ = [
    "AgnosticError",
    "Explanation",
    "Model",
    "Summary",
    "Target",
    "consensus",
    "convert",
    "converters",
    "explain",
    "figure",
    "load",
    "models",
    "summarize",
    "training",
]

_HOMES = {
    "AgnosticError": "errors",
    "Explanation": "explanation",
    "Model": "engine.model",
    "Summary": "summary",
    "Target": "engine.target",
    "consensus": "agreement",
    "convert": "converters.converting",
    "explain": "api",
    "figure": "gallery",
    "load": "engine.opening",
    "summarize": "summarizing",
}


def __getattr__(name: str) -> object:
    """Import what is asked for only now: importing the package itself stays instant."""
    if name in ("converters", "models", "training"):
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

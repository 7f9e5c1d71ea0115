"""Feature visualisation: what a unit has learned, in Lucid's four nouns on any ONNX model.

*Objectives* say what is maximised, *params* how the picture is stored, *transforms* what it is shaken by, and `render`
is the loop::

    from agnostic.optvis import objectives, params, render
    unit = objectives.channel("fire8/concat", 12)
    render(model, unit, params.image(128), steps=512).picture().save("unit.png")

`recipes` holds ready-made ones. Needs torch: ``pip install 'agnostic-xai[grad]'``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from agnostic.engine.autograd import has_torch
from agnostic.errors import missing_extra

if TYPE_CHECKING:
    from agnostic.optvis import objectives, params, presets, recipes, transforms
    from agnostic.optvis.lens import Lens
    from agnostic.optvis.rendering import Rendering, render

_FROM = {"Lens": "lens", "Rendering": "rendering", "render": "rendering"}

__all__ = ["Lens", "Rendering", "objectives", "params", "presets", "recipes", "render", "transforms"]


def __getattr__(name: str) -> object:
    """Import what is asked for, and torch with it, only then."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not has_torch():
        raise missing_extra("torch", "grad", "feature visualisation")
    module = import_module(f"{__name__}.{_FROM.get(name, name)}")
    return getattr(module, name) if name in _FROM else module

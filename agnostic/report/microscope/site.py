"""The site's own file: the model, its layers and pictures, and which files there are."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import agnostic
from agnostic.blocks.trust import parity as parity_badge
from agnostic.engine.gradients import parity
from agnostic.engine.signature import Tensor
from agnostic.errors import AgnosticError, LimitError
from agnostic.report.microscope.graph import nodes_and_edges
from agnostic.report.microscope.shown import Shown, about
from agnostic.report.microscope.trusting import trust
from agnostic.versions import versions

if TYPE_CHECKING:
    from agnostic.report.microscope.work import Work

GRAD, SKLEARN = "pip install 'agnostic-xai[grad]'", "pip install 'agnostic-xai[microscope]'"


def site(work: "Work") -> dict[str, Any]:
    """Say what the site holds at this moment."""
    return {
        "version": 1,
        "made": f"agnostic {agnostic.__version__}",
        "model": _model(work),
        "parity": work.parity,
        "graph": nodes_and_edges(work.drawn, work.slugs),
        "layers": work.about_layers(),
        "images": [_image(work, shown) for shown in work.shown if _there(work, f"picture/{shown.id}")],
        "examples": {"count": len(work.index.pictures), "folder": work.images.name, "skipped": work.skipped},
        "recipes": _recipes(work),
        "trust": trust(),
        "versions": versions("torch", "pillow", "scikit-learn"),
        "commands": commands(work),
        "gradient": work.no_gradient,
        "compare": _there(work, "compare/"),
        "overall": [slug for slug in work.slugs.values() if _there(work, f"overall/{slug}")],
        "atlas": [slug for slug in work.slugs.values() if _there(work, f"atlas/{slug}")],
    }


def _there(work: "Work", name: str) -> bool:
    return bool(work.steps.key(name))


def _model(work: "Work") -> dict[str, Any]:
    model = work.model
    return {
        "name": model.name,
        "sha256": model.sha256,
        "inputs": [_said(tensor) for tensor in model.inputs],
        "outputs": [_said(tensor) for tensor in model.outputs],
        "classes": model.names.class_count,
        "labels": model.names.labels,
        "preprocess": work.preprocess.as_dict(),
        "notes": work.notes,
    }


def _said(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.dtype} ({', '.join('?' if size is None else str(size) for size in tensor.shape)})"


def _image(work: "Work", shown: Shown) -> dict[str, Any]:
    """What there is of a picture."""
    by_layer = [work.slugs[name] for name in work.layers]
    pairs = [
        [work.slugs[a], work.slugs[b]]
        for a, b in work.pairs()
        if _there(work, f"pair/{shown.id}/{work.slugs[a]}/{work.slugs[b]}")
    ]
    return {
        **about(shown, work.steps.facts(f"picture/{shown.id}")),
        "layers": [slug for slug in by_layer if _there(work, f"image/{shown.id}/{slug}")],
        "groups": [slug for slug in by_layer if work.steps.facts(f"groups/{shown.id}/{slug}")],
        "pairs": pairs,
        "channels": pairs,
    }


def _recipes(work: "Work") -> dict[str, Any] | None:
    made = [work.steps.facts(name).get("preset") for name in work.steps.names("icons/")]
    return next((preset for preset in made if preset), None)


def commands(work: "Work") -> dict[str, str]:
    """The command lines that pages without data offer."""
    line = work.command
    found = {
        "icons": f"{line} --icons SLUG",
        "examples": line,
        "images": f"{line} --show PICTURE",
        "compare": f"{line} --compare OTHER.onnx",
        "atlas": f"{line} --atlas SLUG",
        "overall": f"{line} --groups SLUG",
        "dreams": f"{line} --dreams SLUG",
        "variants": f"{line} --variants SLUG:UNIT",
        "groups": line if find_spec("sklearn") else SKLEARN,
    }
    return {**found, "gradient": GRAD} if work.no_gradient and "torch" in work.no_gradient else found


def parity_of(work: "Work") -> dict[str, Any] | None:
    """Compare the gradients' graph with the model on the first picture; None where there are no gradients."""
    if work.no_gradient is not None or not work.shown:
        return None
    sample = work.shown[0].sample
    try:
        found, badge = parity(work.model, sample.arrays), parity_badge(work.model, sample)
    except LimitError:
        raise
    except AgnosticError:
        return None
    return {"largest": found.largest, "scale": found.scale, "sentence": badge.sentence}

"""Which layers can be looked at over many pictures, and the index of examples of these."""

from collections.abc import Sequence
from pathlib import Path

from agnostic.blocks.examples import Index, build
from agnostic.blocks.examples_build import default_batch
from agnostic.blocks.examples_layers import watch
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError, LimitError, UsageError
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.shown import Progress
from agnostic.report.microscope.steps import fingerprint

VERSION = 1


def watched(model: Model, names: Sequence[str], source: str, preprocess: Preprocess) -> list[str]:
    """Those of some layers whose places belong to one picture.

    Raises:
        InputError: there is none.
    """
    fine = list(names) if _fits(model, names, source, preprocess) else []
    found = fine or [name for name in names if _fits(model, [name], source, preprocess)]
    if not found:
        raise InputError(f"{model.name}: no layer has places that belong to one picture; nothing can be shown")
    return found


def _fits(model: Model, names: Sequence[str], source: str, preprocess: Preprocess) -> bool:
    try:
        watch(model, names, source, preprocess)
    except LimitError:
        raise
    except (InputError, UsageError):
        return False
    return True


def indexed(
    folder: Folder,
    kind: str,
    model: Model,
    images: Path,
    names: Sequence[str],
    made_of: Sequence[object],
    *,
    batch_size: int | None,
    seed: int,
    progress: Progress,
) -> Index:
    """Build the index of some layers in the site's cache, or find it there.

    Args:
        folder: the site.
        kind: its folder in the cache.
        model: the model.
        images: the folder of pictures.
        names: the layers.
        made_of: what else it is made from: the pictures' content, how they become inputs.
        batch_size: pictures per pass, as `build` chooses by default.
        seed: of the sample that examples are spread over.
        progress: told of each batch.
    """
    size = batch_size or default_batch(model)
    key = fingerprint(VERSION, model.sha256, list(names), list(made_of), size, seed)
    out = folder.cache(kind, key)
    return build(model, images, names, out, batch_size=size, seed=seed, progress=progress)

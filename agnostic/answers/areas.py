"""Answers that are maps of classes: the region of a class, or one place, as a target."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.answers.prediction import Prediction
from agnostic.answers.scores import VERSUS_REST
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Projection, Target
from agnostic.errors import InputError, ItemError, UsageError
from agnostic.inputs.array import read_array
from agnostic.inputs.picture import open_picture
from agnostic.inputs.sample import Sample

_AT = re.compile(r"^(.+)@(.+)$")
_PLACE = re.compile(r"^(\d+),(\d+)$")
_PERCENT = re.compile(r"^(\d+(?:\.\d+)?)%,(\d+(?:\.\d+)?)%$")

Mask = npt.NDArray[np.bool_]


class Map(NamedTuple):
    """The scores of one sample, (classes, h, w) float64, and which class each place is given, (h, w)."""

    scores: Floats
    classes: npt.NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.scores.shape[1], self.scores.shape[2]


def read(model: Model, sample: Sample) -> Map:
    """Run the model and give each place the class of the highest score; a single score counts where it is above 0.

    Raises:
        UsageError: the answer has not two axes beside that of the classes.
        ItemError: a score is NaN or infinite.
    """
    name = model.scores_tensor
    scores = model.run(sample.arrays, (name,))[name][0].astype(np.float64)
    scores = scores[None] if scores.ndim == 2 else np.moveaxis(scores, model.names.class_axis, 0)
    if scores.ndim != 3:
        raise UsageError(f"{name!r} holds no map: it has the shape {list(scores.shape)} beside the batch axis")
    if not np.isfinite(scores).all():
        raise ItemError(f"the model's scores are not finite on {sample.name!r}: there is nothing to explain")
    if len(scores) > 1:
        return Map(scores, scores.argmax(axis=0))
    # Of a single class, everything else is the ground, which has no score of its own.
    middle = 0.5 if name == model.class_output.name and 0 <= scores.min() <= scores.max() <= 1 else 0.0
    return Map(scores, np.where(scores[0] > middle, 0, -1))


def predict(model: Model, sample: Sample, top: int) -> list[Prediction]:
    """List the classes by the share of the places that they take."""
    found = read(model, sample)
    shares = np.bincount(found.classes[found.classes >= 0], minlength=len(found.scores)) / found.classes.size
    best = [int(i) for i in np.argsort(-shares, kind="stable")[:top] if shares[i] > 0]
    means = [float(found.scores[i][found.classes == i].mean()) for i in best]
    return [
        Prediction(i, model.names.class_name(i), mean, None, share=float(shares[i]))
        for i, mean in zip(best, means, strict=True)
    ]


def default(model: Model, sample: Sample) -> str:
    """Name what is explained where nobody says: the largest region, the declared background left out.

    Raises:
        ItemError: there is none.
    """
    found = read(model, sample).classes
    things = found[(found >= 0) & (found != (-1 if model.answer.background is None else model.answer.background))]
    if not len(things):
        raise ItemError(f"the model finds nothing but ground on {sample.name!r}; name a place: CLASS@y,x")
    return f"{np.bincount(things).argmax()}@mask"


def target(model: Model, sample: Sample, text: str) -> tuple[Target, dict[str, Any]] | None:
    """Resolve `CLASS@mask`, `CLASS@FILE`, `CLASS@y,x`, `CLASS@50%,25%`; None for anything else.

    Raises:
        UsageError: there is no such class or place, or the mask does not fit.
        ItemError: the class is nowhere on this sample.
    """
    versus = text.endswith(VERSUS_REST)
    match = _AT.match(text.removesuffix(VERSUS_REST))
    if match is None or match[1].rpartition(":")[0] in model.names.shapes:
        return None
    index, found = model.names.class_index(match[1]), read(model, sample)
    mask = _mask(model, sample, found, index, match[2].strip())
    numbers = _numbers(found, index, mask, versus)
    name = f"{model.names.class_name(index)}@{match[2].strip()}{VERSUS_REST if versus else ''}"
    part = Projection(model.scores_tensor, _stored(model, numbers), name)
    return Target((part,), name), {"region": mask}


def _mask(model: Model, sample: Sample, found: Map, index: int, where: str) -> Mask:
    """The places that count: (h, w) bool."""
    if where == "mask":
        mask: Mask = found.classes == index
        if not mask.any():
            there = ", ".join(model.names.class_name(int(i)) for i in np.unique(found.classes) if i >= 0)
            raise ItemError(
                f"the model sees no {model.names.class_name(index)!r} on {sample.name!r}, where it sees {there}; "
                "give a region of your own: CLASS@FILE.png"
            )
        return mask
    if match := _PLACE.match(where):
        return _place(found.shape, int(match[1]), int(match[2]))
    if match := _PERCENT.match(where):
        shares = float(match[1]) / 100, float(match[2]) / 100
        if max(shares) > 1:
            raise UsageError(f"@{where}: expected shares of the height and width of at most 100%")
        rows = [min(int(share * size), size - 1) for share, size in zip(shares, found.shape, strict=True)]
        return _place(found.shape, *rows)
    return own_mask(Path(where), found.shape, sample)


def _place(shape: tuple[int, int], row: int, column: int) -> Mask:
    if row >= shape[0] or column >= shape[1]:
        raise UsageError(
            f"@{row},{column}: the answer has {shape[0]} rows and {shape[1]} columns; y,x count its places from 0, and "
            "50%,25% are shares of the picture"
        )
    mask = np.zeros(shape, np.bool_)
    mask[row, column] = True
    return mask


def own_mask(path: Path, shape: tuple[int, int], sample: Sample) -> Mask:
    """Read a user's mask, a picture or a .npy file, whose bright or non-zero places count: (h, w) bool.

    It has the size of the answer, of the model's input, or of the picture as it is shown.

    Raises:
        UsageError: it has another size, or is empty.
        InputError: it cannot be read.
    """
    try:
        values = read_array(path) if path.suffix == ".npy" else np.asarray(open_picture(path).convert("L")) > 127
    except InputError as error:
        raise InputError(f"{error}, as the region behind @; or give CLASS@mask or CLASS@y,x") from error
    sizes = [shape, sample.features.shape, *([sample.picture.shape[:2]] if sample.picture is not None else [])]
    if values.ndim != 2 or values.shape not in sizes:
        wanted = " or ".join(f"{h} x {w}" for h, w in dict.fromkeys((s[0], s[1]) for s in sizes))
        given = " x ".join(map(str, values.shape))
        raise UsageError(f"{path}: the mask is {given}; expected rows x columns of {wanted}")
    rows, columns = (np.arange(size) * given // size for size, given in zip(shape, values.shape, strict=True))
    mask: Mask = np.asarray(values != 0)[rows][:, columns]
    if not mask.any():
        raise UsageError(f"{path}: the mask is empty: none of its pixels is bright; paint the region white")
    return mask


def _numbers(found: Map, index: int, mask: Mask, versus: bool) -> Floats:
    """Weigh every score: the mean of the class's own over the mask, less what is expected of all of them there."""
    numbers = np.zeros_like(found.scores)
    numbers[index] = 1
    if versus:
        if len(numbers) < 2:
            raise UsageError(f"there is no rest: the model has a single class{VERSUS_REST}")
        powers = np.exp(found.scores - found.scores.max(axis=0))
        numbers -= powers / powers.sum(axis=0)
    return np.asarray(numbers * mask / mask.sum())


def _stored(model: Model, numbers: Floats) -> npt.NDArray[np.float32]:
    """Bring (classes, h, w) into the axes of the model's own tensor, with a batch axis."""
    if len(model.names.shapes[model.scores_tensor]) == 2:
        return numbers.astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(numbers, 0, model.names.class_axis)[None], np.float32)

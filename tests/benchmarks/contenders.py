"""Who races the floor: our methods as a user calls them, and the packages `lime` and `dianna` on the same model."""

import io
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from floor import Contender, Floor, Turn
from PIL import Image

import agnostic
from agnostic import models
from agnostic.engine.model import Model
from agnostic.kernels import slic

os.environ.setdefault("TQDM_DISABLE", "1")

PICTURE = models.picture("cat_and_coffee")
TARGET = "tabby"


class Entry(NamedTuple):
    """A contender, and the ratio it is to stay under; None for the peers."""

    name: str
    run: Contender
    goal: float | None = None


def ours(model: Model, samples: int) -> Iterator[Entry]:
    """Our methods, each as one call of `agnostic.explain`: picture read, cut, explained."""
    settings: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("occlusion", 1.05, {}),
        ("lime", 1.08, {"samples": samples, "stop": 0}),
        ("rise", 1.05, {"masks": samples}),
        ("scorecam", 1.10, {}),
    )
    for method, goal, options in settings:
        yield Entry(f"agnostic {method}", _explaining(model, method, options), goal)


def _explaining(model: Model, method: str, options: dict[str, Any]) -> Contender:
    def explain(turn: Turn) -> int:
        before, seen = model.evaluations, 0

        def progress(done: int, total: int) -> None:
            nonlocal seen
            turn(done - seen)
            seen = done

        agnostic.explain(model, PICTURE, method, TARGET, progress=progress, **options)
        return model.evaluations - before

    return explain


def peers(model: Model, path: Path, floor: Floor, samples: int, few: int) -> Iterator[Entry]:
    """`lime` over the floor's own session, and `dianna` on the file; `few` passes for what is slow beyond measure."""
    pixels = pixels_for(model)
    labels = slic(pixels, 50)
    yield Entry("lime, its quickshift", _lime(model, floor, pixels, None, samples))
    yield Entry("lime, our superpixels", _lime(model, floor, pixels, labels, samples))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dianna  # noqa: F401
    yield Entry("dianna RISE", _dianna_rise(model, path, pixels, few))
    yield Entry("dianna LIME", _dianna_lime(model, path, pixels, few))


def pixels_for(model: Model) -> np.ndarray:
    """The picture at the model's size, as (H, W, 3) uint8."""
    height, width = model.preprocess.size
    return np.asarray(Image.open(PICTURE).convert("RGB").resize((width, height), Image.Resampling.BILINEAR))


def class_index(model: Model) -> int:
    """The number of the class that is explained."""
    return model.target(TARGET).terms[0].index[0]


def _lime(model: Model, floor: Floor, pixels: np.ndarray, labels: np.ndarray | None, samples: int) -> Contender:
    from lime.lime_image import LimeImageExplainer

    def explain(turn: Turn) -> int:
        def predict(pictures: np.ndarray) -> np.ndarray:
            scores = floor.scores(model.preprocess.apply(pictures))
            turn(len(pictures))
            return scores

        cut = None if labels is None else lambda picture: labels
        LimeImageExplainer(random_state=0).explain_instance(
            pixels, predict, labels=(class_index(model),), top_labels=None, num_samples=samples, segmentation_fn=cut
        )
        return samples

    return explain


def _turns_after(path: Path, turn: Turn) -> Any:
    """What dianna does with the path of a model, with a turn of the floor after each batch."""
    from dianna.utils.onnx_runner import SimpleModelRunner

    runner = SimpleModelRunner(str(path))

    def predict(batch: np.ndarray) -> np.ndarray:
        scores = runner(batch)
        turn(len(batch))
        return scores

    return predict


def _dianna_rise(model: Model, path: Path, pixels: np.ndarray, samples: int) -> Contender:
    from dianna import explain_image

    x = model.preprocess.planes(pixels)

    def explain(turn: Turn) -> int:
        np.random.seed(0)  # noqa: NPY002 - the generator that dianna draws from
        explain_image(
            _turns_after(path, turn), x, "RISE", [class_index(model)], n_masks=samples, p_keep=0.5,
            axis_labels={0: "channels"},
        )  # fmt: skip
        return samples

    return explain


def _dianna_lime(model: Model, path: Path, pixels: np.ndarray, samples: int) -> Contender:
    from dianna import explain_image

    def explain(turn: Turn) -> int:
        explain_image(
            _turns_after(path, turn), pixels.astype(np.float32), "LIME", [class_index(model)], num_samples=samples,
            preprocess_function=model.preprocess.apply, random_state=0, axis_labels={2: "channels"},
        )  # fmt: skip
        return samples

    return explain


def dianna_shap(model: Model, path: Path, samples: int, seconds: float) -> float | None:
    """Seconds of wall-clock time that dianna's KernelSHAP takes; None where it is not done after `seconds`.

    It opens the file itself and runs all samples as one batch, so the floor cannot take turns with it.
    """
    from dianna import explain_image
    from floor import now

    x = model.preprocess.planes(pixels_for(model))
    start = now()
    try:
        with _alarm(seconds), redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explain_image(
                str(path), x, "KernelSHAP", [class_index(model)], nsamples=samples, background=0,
                axis_labels={0: "channels"},
            )  # fmt: skip
    except TimeoutError:
        return None
    return now().since(start).wall


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError in the block after so many seconds."""

    def ring(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

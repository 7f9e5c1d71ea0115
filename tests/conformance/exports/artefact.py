"""What a case of the suite is: a model as it would be deployed, with what its original answers.

An artefact is made by whoever still has the original (torch, Keras, scikit-learn) and is judged by someone who has the
file alone. It is a folder with `model.onnx`, `arrays.npz` and `notes.json`; this module needs NumPy and onnx only, so
that any framework's own environment can write one.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

Array = np.ndarray[Any, Any]


class Sample(NamedTuple):
    """A batch, and the gradient that the original has there.

    Attributes:
        feeds: the graph's inputs by name.
        weights: per output a float64 array; their weighted sum is what is differentiated.
        gradient: float64, of that sum by the source tensor; None where nothing is compared.
        answer: the original's first output in float64; None where it is not asked.
    """

    feeds: dict[str, Array]
    weights: dict[str, Array]
    gradient: Array | None = None
    answer: Array | None = None


class Artefact(NamedTuple):
    """A model with its samples, or the reason why there is no model.

    Attributes:
        exporter: what wrote the file.
        model: None where the exporter gave up.
        source: the tensor by which is differentiated: a float input, or the embedding of tokens.
        samples: one per batch size.
        due: what the table promises: "gradient", "forward" (nothing to differentiate) or "refusal".
        tolerance: how far the re-import may be from onnxruntime, as a share of the output's scale.
        straight: rounding is differentiated as the identity, and said so.
        note: what a reader of the table must know.
    """

    exporter: str
    model: onnx.ModelProto | None
    source: str = ""
    samples: tuple[Sample, ...] = ()
    due: str = "gradient"
    straight: bool = False
    tolerance: float = 1e-4
    note: str = ""


def save(artefact: Artefact, folder: Path) -> None:
    """Write an artefact; the notes last, so that a folder that has them is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    if artefact.model is not None:
        onnx.save(artefact.model, folder / "model.onnx")
    arrays = {}
    for index, sample in enumerate(artefact.samples):
        arrays |= {f"{index}|feed|{name}": value for name, value in sample.feeds.items()}
        arrays |= {f"{index}|weight|{name}": value for name, value in sample.weights.items()}
        arrays |= {f"{index}|{key}|": getattr(sample, key) for key in ("gradient", "answer")}
    np.savez(folder / "arrays.npz", **{key: value for key, value in arrays.items() if value is not None})
    notes = {**artefact._asdict(), "model": artefact.model is not None, "samples": len(artefact.samples)}
    (folder / "notes.json").write_text(json.dumps(notes))


def load(folder: Path) -> Artefact:
    """Read what `save` wrote."""
    notes = json.loads((folder / "notes.json").read_text())
    samples = [Sample({}, {}) for _ in range(notes.pop("samples"))]
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        for key, value in arrays.items():
            index, kind, name = key.split("|", 2)
            sample = samples[int(index)]
            if kind in ("feed", "weight"):
                (sample.feeds if kind == "feed" else sample.weights)[name] = value
            else:
                samples[int(index)] = sample._replace(**{kind: value})
    model = onnx.load(folder / "model.onnx") if notes.pop("model") else None
    return Artefact(**notes, model=model, samples=tuple(samples))

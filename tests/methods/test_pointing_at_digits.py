"""The pointing game for attention: two digits on a picture, and the evidence for each must lie in its own box."""

import numpy as np
import pytest

import agnostic
from agnostic import models
from agnostic.models.two_digits import Scene, read_digits, scene

COUNT = 20


@pytest.fixture(scope="module")
def digits_vit() -> agnostic.Model:
    return agnostic.load("digits-vit")


@pytest.fixture(scope="module")
def known(digits_vit: agnostic.Model) -> list[Scene]:
    """Held-out pictures on which the model names both digits: of what it misreads, no place is the right one."""
    held_out, found, seed = read_digits()[1], [], 0
    stated = models.manifest()["models"]["digits-vit"]
    assert stated["held_out"]["both"] > 0.5
    while len(found) < COUNT:
        drawn = scene(held_out, np.random.default_rng(seed))
        image = ((drawn.pixels[None, None] / 255 - 0.13) / 0.3).astype(np.float32)
        scores = digits_vit.run({"image": image})["logits"][0]
        if set(scores.argsort()[-2:]) == set(drawn.labels):
            found.append(drawn)
        seed += 1
    return found


def shares(model: agnostic.Model, drawn: Scene, name: str, target: str) -> np.ndarray:
    """For each of two digits, the shares of its positive evidence in both boxes: (2, 2), row = digit, column = box."""
    picture = np.repeat(drawn.pixels[..., None], 3, axis=2)
    one, other = drawn.labels
    asked = [target.format(one=one, other=other), target.format(one=other, other=one)]
    rows = []
    for found in agnostic.explain(model, picture, method=name, target=asked):
        evidence = np.maximum(found.values, 0)
        inside = [evidence[box.top : box.bottom, box.left : box.right].sum() for box in drawn.boxes]
        rows.append(np.array(inside) / evidence.sum())
    return np.array(rows)

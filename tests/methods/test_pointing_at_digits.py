"""The pointing game for attention: two digits on a picture, whose evidence must lie on them and on the right one."""

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


def judged(model: agnostic.Model, known: list[Scene], name: str) -> tuple[float, float]:
    """The mean share of the evidence in both boxes, and of that the share in the right one of the two."""
    found = np.array([shares(model, drawn, name, "{one} - {other}") for drawn in known])
    own = found[:, [0, 1], [0, 1]].sum()
    return float(found.sum(axis=2).mean()), float(own / found.sum())


def test_rollout_finds_the_digits_and_knows_no_class(digits_vit: agnostic.Model, known: list[Scene]) -> None:
    on_digits, right = judged(digits_vit, known, "rollout")
    assert on_digits >= 0.48
    assert right == pytest.approx(0.5)


# The boxes take 0.30 of a picture, and each as much as the other.
@pytest.mark.parametrize(
    ("name", "least_on_digits", "least_right"),
    [
        ("generic_attention", 0.68, 0.61),
        ("bidirectional_transformer", 0.58, 0.54),
        ("tam", 0.56, 0.54),
        ("gradcam", 0.41, 0.55),
        ("integrated_gradients", 0.88, 0.53),
    ],
)
def test_evidence_lies_on_the_digits_and_on_the_right_one(
    digits_vit: agnostic.Model, known: list[Scene], name: str, least_on_digits: float, least_right: float
) -> None:
    on_digits, right = judged(digits_vit, known, name)
    assert on_digits >= least_on_digits
    assert right >= least_right

"""The pointing game on real models whose things have known places: what explains a box or a region lies on it."""

from typing import Any

import numpy as np
import pytest

import agnostic
from agnostic import answers, api
from agnostic.methods import get
from agnostic.models.two_digits import Scene, read_digits, scene

COUNT = 6
# A digit's box takes 0.15 of a picture on average.
CHANCE = 0.15


@pytest.fixture(scope="module")
def drawn() -> list[Scene]:
    held_out = read_digits()[1]
    return [scene(held_out, np.random.default_rng(seed)) for seed in range(COUNT)]


def judged(model: agnostic.Model, drawn: list[Scene], name: str, asked: Any, **settings: Any) -> tuple[float, float]:
    """The mean share of the positive evidence in the digit's own box, and in the other one."""
    rows = []
    for each in drawn:
        picture = np.repeat(each.pixels[..., None], 3, axis=2)
        sample = api.prepare(model, picture, get(name))
        targets = asked(model, sample, each.labels)
        found = api.answer(model, sample, get(name), targets, get(name).settings(settings))
        for number, e in enumerate(found):
            evidence = np.maximum(e.values, 0) / np.maximum(e.values, 0).sum()
            boxes = each.boxes if number == 0 else each.boxes[::-1]
            rows.append([evidence[box.top : box.bottom, box.left : box.right].sum() for box in boxes])
    own, other = np.mean(rows, axis=0)
    return float(own), float(other)


def boxes(model: agnostic.Model, sample: Any, labels: tuple[int, int]) -> list[str]:
    by_name = {item.name: item.index for item in reversed(answers.predict(model, sample))}
    return [f"box:{by_name[str(label)]}" for label in labels]


def regions(model: agnostic.Model, sample: Any, labels: tuple[int, int]) -> list[str]:
    return [f"digit {label}@mask" for label in labels]


@pytest.mark.parametrize(
    ("name", "settings", "least"),
    [
        ("drise", {"masks": 1000}, 0.5),
        ("occlusion", {}, 0.6),
        ("lime", {"samples": 400}, 0.55),
        ("saliency", {}, 0.65),
        ("integrated_gradients", {"quadrature": "gauss-legendre", "steps": 20}, 0.9),
        ("gradcam", {}, 0.85),
    ],
)
def test_what_explains_a_box_lies_in_it(drawn: list[Scene], name: str, settings: dict[str, Any], least: float) -> None:
    own, other = judged(agnostic.load("digits-detector", device="cpu"), drawn, name, boxes, **settings)
    assert own >= least > 3 * CHANCE
    assert other < 0.6 * CHANCE


@pytest.mark.parametrize(
    ("name", "settings", "least"),
    [
        ("saliency", {}, 0.6),
        ("integrated_gradients", {"quadrature": "gauss-legendre", "steps": 20}, 0.8),
        ("occlusion", {}, 0.6),
        ("rise", {"masks": 600}, 0.5),
    ],
)
def test_what_explains_a_region_lies_on_it(
    drawn: list[Scene], name: str, settings: dict[str, Any], least: float
) -> None:
    own, other = judged(agnostic.load("digits-segmenter", device="cpu"), drawn, name, regions, **settings)
    assert own >= least
    assert other < CHANCE

"""Presets, and that their limit on contrast reaches the pictures."""

import dataclasses

import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.lens import Lens
from agnostic.optvis.params import PHOTO, fft, limited
from agnostic.optvis.params.colour import from_valid_rgb
from agnostic.optvis.presets import PRESETS, preset
from agnostic.optvis.recipes import Order


def test_presets_are_found_by_name() -> None:
    assert set(PRESETS) >= {"draft", "icon", "print", "maco"}
    assert preset("draft").steps < preset("icon").steps < preset("print").steps
    with pytest.raises(UsageError, match="icons"):
        preset("icons")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_summaries_tell_the_truth(name: str) -> None:
    level = PRESETS[name]
    assert level.name == name
    assert level.summary.startswith(f"{level.size} px, {level.steps} steps: ")


def test_strong_numbers_are_drawn_weaker_and_weak_ones_as_they_are() -> None:
    strong, weak = fft(sd=50.0), fft(sd=0.1)
    for numbers, contrast, same in ((strong, 2.0, False), (weak, 2.0, True)):
        plain = numbers(Draws(0, (0, 1)), 3, 16, 21).raw().detach()
        found = limited(numbers, contrast)(Draws(0, (0, 1)), 3, 16, 21).raw().detach()
        sizes = plain.square().mean(dim=(1, 2, 3)).sqrt()
        assert bool((sizes > contrast).all()) is not same
        expected = plain if same else plain * (contrast / sizes).view(2, 1, 1, 1)
        assert torch.allclose(found, expected, rtol=1e-5)


def test_a_limit_keeps_the_variables_and_their_gradients() -> None:
    stored = limited(fft(sd=50.0), 2.0)(Draws(0, (0,)), 3, 16, 16)
    stored.raw()[0, 0, 3, 4].backward()
    assert stored.variables["spectrum"].grad is not None
    assert bool(stored.variables["spectrum"].grad.any())
    with pytest.raises(UsageError, match="expected a contrast above 0"):
        limited(fft(), 0)


def test_an_orders_pictures_keep_the_presets_contrast(squeezenet_model: object) -> None:
    short = dataclasses.replace(preset("draft"), size=32, steps=12, contrast=0.5)
    order = Order(Lens(squeezenet_model), ("fire2/concat:5",), short)  # type: ignore[arg-type]
    sizes = []
    for level in (short, dataclasses.replace(short, contrast=None)):
        found = dataclasses.replace(order, preset=level).render("fire2/concat:5", learning_rate=0.5).pictures
        raw = from_valid_rgb(torch.from_numpy(found).movedim(-1, 1), PHOTO)
        sizes.append(float(raw.square().mean().sqrt()))
    assert sizes[0] == pytest.approx(0.5, rel=0.02)
    assert sizes[1] > 0.8

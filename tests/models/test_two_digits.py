"""Pictures of two digits keep their promises: what tells a digit lies in its box, and the boxes are right."""

import numpy as np
import pytest

from agnostic.models import two_digits
from agnostic.models.two_digits import HELD_OUT, SIZE, Box, Digits, read_digits, scene


@pytest.fixture(scope="module")
def held_out() -> Digits:
    return read_digits()[1]


def inside(box: Box) -> tuple[slice, slice]:
    return slice(box.top, box.bottom), slice(box.left, box.right)


def test_the_held_out_digits_are_not_among_those_to_learn_from() -> None:
    learnt, held = read_digits()
    assert (len(learnt.labels), len(held.labels)) == (1797 - HELD_OUT, HELD_OUT)
    known = {glyph.tobytes() for glyph in learnt.glyphs}
    assert not any(glyph.tobytes() in known for glyph in held.glyphs)
    assert set(held.labels) == set(range(10))


@pytest.mark.parametrize("seed", range(20))
def test_two_different_digits_lie_in_two_different_quarters(held_out: Digits, seed: int) -> None:
    drawn = scene(held_out, np.random.default_rng(seed))
    assert drawn.labels[0] != drawn.labels[1]
    half = SIZE // 2
    quarters = [(box.top // half, box.left // half) for box in drawn.boxes]
    assert quarters[0] != quarters[1]
    for box, (down, right) in zip(drawn.boxes, quarters, strict=True):
        assert box.bottom <= half * (down + 1) and box.right <= half * (right + 1)
        assert drawn.pixels[inside(box)].max() > 200


def test_without_scraps_all_ink_lies_in_the_boxes(held_out: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_digits, "_SCRAPS", 0)
    monkeypatch.setattr(two_digits, "_NOISE", 0.0)
    for seed in range(10):
        drawn = scene(held_out, np.random.default_rng(seed))
        rest = drawn.pixels.copy()
        for box in drawn.boxes:
            rest[inside(box)] = 0
        assert drawn.pixels.any() and not rest.any()


@pytest.mark.parametrize("seed", range(10))
def test_ink_is_the_dark_half_of_a_digit_and_nothing_else(
    held_out: Digits, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two_digits, "_NOISE", 0.0)
    drawn = scene(held_out, np.random.default_rng(seed))
    rest = np.ones((SIZE, SIZE), bool)
    for number, box in enumerate(drawn.boxes, 1):
        own = drawn.ink[inside(box)] == number
        np.testing.assert_array_equal(own, drawn.pixels[inside(box)] >= 64)
        assert 0.05 < own.mean() < 0.8
        rest[inside(box)] = False
    assert not drawn.ink[rest].any()


def test_scraps_change_nothing_in_the_boxes(held_out: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_digits, "_NOISE", 0.0)
    littered = scene(held_out, np.random.default_rng(1))
    monkeypatch.setattr(two_digits, "_SCRAPS", 0)
    clean = scene(held_out, np.random.default_rng(1))
    assert (littered.boxes, littered.labels) == (clean.boxes, clean.labels)
    assert (littered.pixels != clean.pixels).any()
    for box in clean.boxes:
        np.testing.assert_array_equal(littered.pixels[inside(box)], clean.pixels[inside(box)])


def test_a_seed_draws_the_same_picture_again(held_out: Digits) -> None:
    first, again, other = (scene(held_out, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert (first.pixels != other.pixels).any()

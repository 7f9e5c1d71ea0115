"""Every picture has its own stream, and what pictures share belongs to none of them."""

import numpy as np
import torch

from agnostic.optvis.draws import CANVAS, TRANSFORMS, Draws


def test_a_picture_draws_the_same_whoever_is_with_it() -> None:
    together, alone = Draws(7, [0, 3, 5]), Draws(7, [3])
    for draw in (lambda d: d.normal(4), lambda d: d.uniform(2, 3, 2), lambda d: d.integers(9, 3)):
        assert torch.equal(draw(together)[1], draw(alone)[0])
    assert together.choice([1.0, 2.0, 4.0])[1] == alone.choice([1.0, 2.0, 4.0])[0]


def test_pictures_seeds_and_purposes_draw_differently() -> None:
    rows = [*Draws(7, [0, 1]).normal(3), Draws(8, [0]).normal(3)[0], Draws(7, [0], TRANSFORMS).normal(3)[0]]
    assert len({tuple(row.tolist()) for row in rows}) == 4


def test_numbers_are_those_of_the_picture_s_own_generator() -> None:
    expected = np.random.default_rng([7, CANVAS, 2]).standard_normal(5, np.float32)
    np.testing.assert_array_equal(Draws(7, [2]).normal(5)[0].numpy(), expected)


def test_uniform_and_integers_stay_in_range() -> None:
    draws = Draws(0, range(3))
    values, whole = draws.uniform(-2, 5, 400), draws.integers(4, 400)
    assert values.min() >= -2 and values.max() < 5 and abs(values.mean() - 1.5) < 0.2
    assert set(whole.unique().tolist()) == {0, 1, 2, 3}


def test_shared_streams_are_nobody_s_and_go_on() -> None:
    draws = Draws(7, [0, 1])
    first, second = draws.common(2).normal(3), draws.common(3).normal(3)
    assert not torch.equal(first, second[:2])
    own = Draws(7, [0, 1, 2]).normal(3)
    rows = torch.cat([first, second, own])
    assert len({tuple(row.tolist()) for row in rows}) == len(rows)


def test_shared_streams_do_not_depend_on_the_pictures() -> None:
    assert torch.equal(Draws(7, [0, 1]).common().normal(3), Draws(7, [4]).common().normal(3))
    assert len(Draws(7, [0, 1]).common(3)) == 3

"""Bases add and are weighed, and draw the same however pictures are batched."""

import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params import Basis, cppn, fft, laplacian_pyramid, limited, lowres, phases, pixels, unit_ball

ALONE = [pixels(), fft(), laplacian_pyramid(), lowres(3, offset=True), cppn(4, 2), phases(), unit_ball()]
ALONE.append(limited(pixels(), 0.005))


def _stepped(basis: Basis, pictures: list[int]) -> torch.Tensor:
    """Draw pictures after each variable has taken a step along its gradient."""
    stored = basis(Draws(5, pictures), 3, 12, 10)
    (stored.raw() * torch.linspace(-1, 1, 10)).square().sum().backward()
    with torch.no_grad():
        for variable in stored.variables.values():
            variable += 0.1 * variable.grad
    return stored.raw().detach()


@pytest.mark.parametrize("basis", ALONE, ids=lambda basis: basis.name)
def test_a_picture_does_not_depend_on_its_batch(basis: Basis) -> None:
    together = _stepped(basis, [0, 1, 4])
    assert together.shape == (3, 3, 12, 10)
    for row, picture in enumerate([0, 1, 4]):
        # Not to the last bit: vectors of some processors compute a sine otherwise than what is left over behind them.
        torch.testing.assert_close(_stepped(basis, [picture])[0], together[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize("basis", ALONE, ids=lambda basis: basis.name)
def test_what_is_stored_is_all_there_is_to_optimise(basis: Basis) -> None:
    stored = basis(Draws(5, [0, 1]), 3, 12, 10)
    assert stored.variables
    assert all(value.requires_grad and value.is_leaf for value in stored.variables.values())
    assert stored.raw().requires_grad and not stored.couples


def test_a_sum_draws_the_weighed_sum_of_its_parts() -> None:
    both = 0.5 * pixels() + 2 * lowres(2)
    draws = Draws(1, [0])
    apart = [pixels()(draws, 1, 4, 4), lowres(2)(draws, 1, 4, 4)]
    found = both(Draws(1, [0]), 1, 4, 4)
    assert torch.equal(found.raw(), 0.5 * apart[0].raw() + 2 * apart[1].raw())
    assert both.name == "0.5 * pixels() + 2 * lowres(2)"
    assert (3 * both).name == "3 * (0.5 * pixels() + 2 * lowres(2))"
    assert list(found.variables) == ["0.pixels", "1.cells"]


def test_a_sum_keeps_what_its_parts_ask_for() -> None:
    stored = (unit_ball("linf", 0.1) + cppn(2, 1) + lowres(1, batch=1))(Draws(0, [0]), 1, 2, 2)
    assert stored.couples and stored.learning_rate == 0.005 and stored.constrain is not None
    ball = next(value for name, value in stored.variables.items() if name.endswith("ball"))
    with torch.no_grad():
        ball += 1
    stored.constrain()
    np.testing.assert_allclose(ball.detach(), 0.1)
    plain = (pixels() + fft())(Draws(0, [0]), 1, 2, 2)
    assert plain.learning_rate is None and plain.constrain is None and not plain.couples
    with pytest.raises(UsageError, match="at least one"):
        Basis.sum([])

"""Cells spread over pictures: SciPy's zoom, and what shared pictures have to have in common."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params import (
    aligned,
    aligned_pairs,
    fft,
    grouped,
    laplacian_pyramid,
    lowres,
    lowres_tensor,
    pixels,
)


@pytest.mark.parametrize(
    ("cells", "shape"), [((4,), (12,)), ((1, 3), (1, 7)), ((2, 3, 4, 1), (6, 3, 8, 5)), ((2, 2), (3, 11))]
)
def test_spreading_is_scipy_s_linear_zoom(cells: tuple[int, ...], shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=cells)
    factors = [many / few for few, many in zip(cells, shape, strict=True)]
    expected = ndimage.zoom(values, factors, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(lowres_tensor(torch.from_numpy(values), shape), expected, atol=1e-6)


def test_an_offset_shifts_and_mirrors_what_is_missing() -> None:
    values = torch.tensor([0.0, 4.0, 8.0])
    whole = lowres_tensor(values, (12,)).numpy()
    for offset, cells in ((3, 3), (True, 2), (0, 0), (False, 0)):
        expected = np.pad(whole, (cells, 0), mode="symmetric")[:12]
        np.testing.assert_allclose(lowres_tensor(values, (12,), offset), expected, atol=1e-6)
    both = lowres_tensor(torch.eye(2), (4, 4), (False, True)).numpy()
    np.testing.assert_allclose(
        both, np.pad(lowres_tensor(torch.eye(2), (4, 4)).numpy(), ((0, 0), (1, 0)), mode="symmetric")[:, :4]
    )  # fmt: skip


def test_cells_have_the_axes_of_what_they_are_spread_over() -> None:
    for cells, shape in ((torch.zeros(2), (4, 4)), (torch.zeros(5), (4,))):
        with pytest.raises(UsageError, match="expected fewer"):
            lowres_tensor(cells, shape)


def test_a_pyramid_is_the_sum_of_its_zoomed_levels() -> None:
    stored = laplacian_pyramid(4)(Draws(0, [1]), 2, 16, 24)
    sizes = [tuple(value.shape) for value in stored.variables.values()]
    assert sizes == [(1, 2, 16 // k, 24 // k) for k in (1, 2, 4, 8)]
    expected = sum(
        ndimage.zoom(value.detach().numpy(), (1, 1, 2**k, 2**k), order=1, mode="nearest", grid_mode=True)
        for k, value in enumerate(stored.variables.values())
    )
    np.testing.assert_allclose(stored.raw().detach(), expected, atol=1e-6)
    with pytest.raises(UsageError, match="at least one level"):
        laplacian_pyramid(0)


def test_cells_along_the_batch_blend_between_pictures() -> None:
    stored = lowres(4, batch=2)(Draws(0, range(6)), 1, 8, 8)
    assert stored.couples
    (cells,) = (value.detach() for value in stored.variables.values())
    rows = stored.raw().detach()
    coarse = lowres_tensor(cells, (2, 1, 8, 8))
    for row, weight in enumerate([0, 0, 1 / 3, 2 / 3, 1, 1]):
        expected = (1 - weight) * coarse[0] + weight * coarse[1]
        np.testing.assert_allclose(rows[row], expected, atol=1e-6)


def test_aligned_pictures_share_six_coarse_parts() -> None:
    stored = aligned(pixels())(Draws(0, range(6)), 3, 32, 32)
    own, *shared = stored.variables.values()
    assert own.shape[0] == 6
    assert [(len(cells), 32 // cells.shape[2]) for cells in shared] == [
        (1, 2), (1, 4), (1, 8), (2, 8), (1, 16), (2, 16)
    ]  # fmt: skip
    assert stored.couples
    with torch.no_grad():
        own.zero_()
        for cells in shared:
            if len(cells) == 2:
                cells.zero_()
    same = stored.raw().detach()
    assert torch.equal(same, same[:1].expand_as(same)) and same.std() > 0
    assert aligned().name == "aligned()"


def test_shared_parts_are_drawn_apart() -> None:
    stored = (lowres(4, 1) + lowres(4, 1))(Draws(0, [0, 1]), 1, 8, 8)
    first, second = stored.variables.values()
    assert not torch.equal(first, second)


def test_groups_are_mixed_by_their_weights() -> None:
    weights = [[1.0, 0.0], [0.0, 1.0], [0.25, 0.5]]
    stored = grouped(weights, pixels())(Draws(0, range(3)), 2, 4, 4)
    (groups,) = stored.variables.values()
    assert len(groups) == 2 and stored.couples
    expected = [groups[0], groups[1], 0.25 * groups[0] + 0.5 * groups[1]]
    np.testing.assert_allclose(stored.raw().detach(), torch.stack(expected).detach(), atol=1e-7)
    assert (0.7 * fft() + 0.5 * grouped(weights)).name == "0.7 * fft() + 0.5 * grouped([[1, 0], [0, 1], [0.25, 0.5]])"
    with pytest.raises(UsageError, match="3 rows of weights for 2 pictures"):
        grouped(weights)(Draws(0, range(2)), 2, 4, 4)
    with pytest.raises(UsageError, match="one row for each picture"):
        grouped([1.0, 2.0])


@pytest.mark.parametrize(("objectives", "steps"), [(3, 5), (2, 1), (2, 4)])
def test_the_way_back_is_the_way_there(objectives: int, steps: int) -> None:
    count = objectives * objectives * steps
    stored = aligned_pairs(objectives, steps)(Draws(0, range(count)), 3, 16, 16)
    ways = stored.raw().detach().view(objectives, objectives, steps, 3, 16, 16)
    for a in range(objectives):
        for b in range(objectives):
            np.testing.assert_allclose(ways[a, b], ways[b, a].flip(0), atol=1e-7)
    if steps > 1:
        assert not torch.allclose(ways[0, 1, 0], ways[0, 1, -1])
    stored.raw().sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in stored.variables.values())
    with pytest.raises(UsageError, match=f"expected {count}"):
        aligned_pairs(objectives, steps)(Draws(0, range(count + 1)), 3, 16, 16)

import numpy as np
import pytest

from agnostic.kernels.resize import bilinear
from agnostic.kernels.rise import draw_cells, render


@pytest.mark.parametrize("shape", [(224, 224), (50, 83), (6, 4), (1, 40)])
@pytest.mark.parametrize("cells", [1, 3, 7, 8])
def test_masks_are_crops_of_the_enlarged_grids(shape: tuple[int, int], cells: int) -> None:
    grids, shifts = draw_cells(6, cells, 0.5, seed=1)
    masks = render(grids, shifts, shape)
    tall, wide = -(-shape[0] // cells), -(-shape[1] // cells)
    enlarged = bilinear(grids.astype(np.float32), ((cells + 1) * tall, (cells + 1) * wide))
    for mask, whole, (down, across) in zip(masks, enlarged, shifts, strict=True):
        y, x = int(down * tall), int(across * wide)
        np.testing.assert_array_equal(mask, whole[y : y + shape[0], x : x + shape[1]])


def test_every_shift_within_a_cell_occurs_equally_often() -> None:
    shifts = draw_cells(7000, 7, 0.5, seed=0).shifts
    counts = np.bincount((shifts[:, 0] * 32).astype(int), minlength=32)
    assert len(counts) == 32
    assert ((counts - 7000 / 32) ** 2 / (7000 / 32)).sum() < 61.1  # chi-square with 31 degrees, one in a thousand


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_share_of_cells_that_show_is_the_probability(probability: float) -> None:
    grids = draw_cells(2000, 7, probability, seed=0).grids
    assert abs(grids.mean() - probability) < 4 * np.sqrt(probability * (1 - probability) / grids.size)


def test_mask_depends_on_seed_and_number_only() -> None:
    few, many, other = draw_cells(5, 7, 0.5, 3), draw_cells(500, 7, 0.5, 3), draw_cells(5, 7, 0.5, 4)
    np.testing.assert_array_equal(few.grids, many.grids[:5])
    np.testing.assert_array_equal(few.shifts, many.shifts[:5])
    assert (few.grids != other.grids).any()
    whole = render(*many, (40, 40))
    parts = [render(many.grids[i : i + 32], many.shifts[i : i + 32], (40, 40)) for i in range(0, 500, 32)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_render_writes_into_a_given_buffer() -> None:
    cells = draw_cells(4, 7, 0.5, 0)
    out = np.full((4, 30, 60), 9, np.float32)[..., ::2]
    assert render(*cells, (30, 30), out) is out
    np.testing.assert_array_equal(out, render(*cells, (30, 30)))


@pytest.mark.parametrize("settings", [(-1, 7, 0.5), (4, 0, 0.5), (4, 7, 0.0), (4, 7, 1.5), (4, 7, np.nan)])
def test_settings_out_of_range_are_refused(settings: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        draw_cells(*settings, seed=0)


def test_arrays_that_do_not_fit_are_refused() -> None:
    grids, shifts = draw_cells(4, 7, 0.5, 0)
    with pytest.raises(ValueError, match=r"shifts has shape \(3, 2\), expected \(4, 2\)"):
        render(grids, shifts[:3], (30, 30))
    with pytest.raises(ValueError, match=r"out has shape \(4, 9, 9\), expected \(4, 30, 30\)"):
        render(grids, shifts, (30, 30), np.zeros((4, 9, 9), np.float32))
    with pytest.raises(ValueError, match="expected 0 <= shift < 1"):
        render(grids, shifts + 1, (30, 30))

"""The plain bases against NumPy's transforms, written out again."""

import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis.draws import CANVAS, Draws
from agnostic.optvis.params import fft, fixed, limited, pixels, unit_ball


@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 9), (7, 5), (5, 12)])
@pytest.mark.parametrize("decay", [1.0, 1.5])
def test_fft_is_numpy_s_inverse_with_lucid_s_constants(height: int, width: int, decay: float) -> None:
    found = fft(decay=decay)(Draws(3, [2]), 3, height, width).raw().detach().numpy()[0]
    drawn = np.random.default_rng([3, CANVAS, 2]).standard_normal((3, height, width // 2 + 1, 2), np.float32) * 0.01
    expected = np.empty((3, height, width))
    for channel in range(3):
        spectrum = np.empty((height, width // 2 + 1), complex)
        for row in range(height):
            for column in range(width // 2 + 1):
                y, x = (row if row <= (height - 1) // 2 else row - height) / height, column / width
                frequency = max(np.sqrt(y * y + x * x), 1 / max(height, width))
                spectrum[row, column] = complex(*drawn[channel, row, column]) / frequency**decay
        expected[channel] = np.fft.irfft2(spectrum, s=(height, width)) * np.sqrt(width * height) / 4
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_pixels_are_what_was_drawn() -> None:
    stored = pixels(sd=0.5)(Draws(3, [2]), 2, 4, 3)
    expected = np.random.default_rng([3, CANVAS, 2]).standard_normal((2, 4, 3), np.float32) * 0.5
    np.testing.assert_array_equal(stored.raw().detach()[0], expected)


def test_fixed_numbers_are_every_picture_s_and_no_variable() -> None:
    values = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    stored = fixed(values)(Draws(0, [0, 1]), 1, 2, 3)
    assert not stored.variables
    np.testing.assert_array_equal(stored.raw(), [values, values])
    with pytest.raises(UsageError, match=r"\[1, 2, 3\] for a picture of \[3, 2, 3\]"):
        fixed(values)(Draws(0, [0]), 3, 2, 3)


def test_the_unit_ball_takes_what_is_outside_back_to_its_nearest_point() -> None:
    given = torch.tensor([[3.0, -4.0], [0.3, 0.4]]).view(2, 1, 1, 2)
    for norm, expected in (("l2", [[1.2, -1.6], [0.3, 0.4]]), ("linf", [[2.0, -2.0], [0.3, 0.4]])):
        stored = unit_ball(norm, 2.0)(Draws(0, [0, 1]), 1, 1, 2)  # type: ignore[arg-type]
        (variable,) = stored.variables.values()
        assert not variable.any()
        with torch.no_grad():
            variable.copy_(given)
        assert stored.constrain is not None
        stored.constrain()
        np.testing.assert_allclose(stored.raw().detach().view(2, 2), expected, rtol=1e-6)
    stored.constrain()  # a picture of zeros stays one
    with pytest.raises(UsageError, match="l2 or linf"):
        unit_ball("l1")  # type: ignore[arg-type]


def test_contrast_is_limited_and_weak_pictures_stay() -> None:
    free, held = (each(Draws(0, [0, 1]), 3, 8, 8) for each in (pixels(1.0), limited(pixels(1.0), 1.5)))
    for stored in (free, held):
        with torch.no_grad():
            stored.variables["pixels"][1] *= 7
    before, after = free.raw().detach().numpy(), held.raw().detach().numpy()
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_allclose(np.sqrt(np.square(after[1]).mean()), 1.5, rtol=1e-5)
    np.testing.assert_allclose(after[1] / before[1], (after[1] / before[1])[0, 0, 0], rtol=1e-5)
    with pytest.raises(UsageError, match="above 0"):
        limited(pixels(), 0)

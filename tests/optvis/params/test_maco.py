"""Phases move and magnitudes stay: the spectrum that comes out is the one that was asked for."""

import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params import PHOTO, PHOTO_SPECTRUM, Spectrum, phases, spectrum_of
from agnostic.optvis.params.maco import standardised


def _waves(raw: torch.Tensor) -> torch.Tensor:
    return torch.fft.rfft2(raw.detach())


def test_the_spectrum_keeps_its_shape_whatever_the_phases_do() -> None:
    stored = phases()(Draws(0, [0, 1]), 3, 16, 16)
    expected = PHOTO_SPECTRUM.at(3, 16, 16)
    for _ in range(2):
        # Waves that are their own mirror image are real, and lose what their phase takes from them.
        free = np.abs(_waves(stored.raw()).numpy())[:, :, :, 1:-1]
        ratio = free / expected[:, :, 1:-1]
        np.testing.assert_allclose(ratio, ratio[:, :1, :1, :1].repeat(3, 1).repeat(16, 2).repeat(7, 3), rtol=1e-3)
        with torch.no_grad():
            stored.variables["phases"].normal_(2, 5)


def test_phases_take_any_value() -> None:
    stored = phases()(Draws(0, [0]), 3, 32, 32)
    found = torch.angle(_waves(stored.raw()))[:, :, :, 1:-1].flatten()
    counts = torch.histc(found, 8, -torch.pi, torch.pi) / found.numel()
    assert counts.min() > 0.08  # angles of real numbers are 0 or pi, and fill two of eight bins
    chosen = stored.variables["phases"].detach()
    turned = np.pi / 3**0.5 * (chosen - chosen.mean()) / chosen.std(correction=0)
    inner = (slice(None), slice(None), slice(1, 16), slice(1, 16))
    agree = torch.cos(torch.angle(_waves(stored.raw())) - turned)[inner]
    np.testing.assert_allclose(agree, 1, atol=1e-3)


def test_phases_and_pictures_are_standardised_picture_by_picture() -> None:
    values = standardised(torch.randn(3, 2, 8, 8) * 7 + 4)
    np.testing.assert_allclose(values.mean(dim=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(dim=(1, 2, 3), correction=0), 1, atol=1e-4)
    stored = phases(contrast=1.0)(Draws(0, [0, 1]), 3, 16, 16)
    raw = stored.raw().detach()
    np.testing.assert_allclose(raw.mean(dim=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(raw.std(dim=(1, 2, 3), correction=0), 1, atol=1e-4)
    with torch.no_grad():
        stored.variables["phases"].mul_(3).add_(2)
    np.testing.assert_allclose(stored.raw().detach(), raw, atol=2e-4)
    with pytest.raises(UsageError, match="more than 0"):
        phases(contrast=0)


def test_pixels_vary_as_photographs_do() -> None:
    raw = phases()(Draws(0, [0]), 3, 64, 64).raw().detach()
    axes = torch.from_numpy(PHOTO.normalised).float()
    slopes = 0.25 * torch.einsum("nchw,dc->ndhw", raw, axes)
    photographs = np.sqrt(np.square(PHOTO.matrix).sum(axis=1))
    np.testing.assert_allclose(slopes.std(dim=(0, 2, 3)), photographs, rtol=0.1)


def test_photographs_fall_by_two_powers_of_the_frequency() -> None:
    row = PHOTO_SPECTRUM.at(3, 256, 256)[1, 0]
    fall = np.diff(np.log(row[1:])) / np.diff(np.log(np.arange(1, 129)))
    np.testing.assert_allclose(fall[:63], -1.25, atol=1e-6)
    np.testing.assert_allclose(fall[63:], -2.2, atol=1e-6)


def test_no_corner_is_brighter_than_the_rest() -> None:
    raw = phases()(Draws(0, range(16)), 3, 32, 32).raw().detach()
    corners = raw[:, 0, 0, 0]
    assert abs(float(corners.mean())) < 3 * float(raw[:, 0].std()) / 4


@pytest.mark.parametrize(("height", "width"), [(48, 48), (40, 57), (33, 64)])
def test_the_spectrum_of_noise_of_a_known_law_is_that_law(height: int, width: int) -> None:
    rng = np.random.default_rng(0)
    lengths = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    law = 1 / (0.05 + lengths) ** 2
    noise = rng.normal(size=(60, height, width))
    pictures = np.fft.irfft2(np.fft.rfft2(noise) * law, s=(height, width))[..., None]
    found = spectrum_of(list(pictures), None).at(1, 96, 80)[0]
    far = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(80))
    ratio = (found * (0.05 + far) ** 2)[(far > 0.1) & (far < 0.45)]
    assert ratio.std() / ratio.mean() < 0.12
    fit = np.polyfit(far[(far > 0.1) & (far < 0.45)], ratio / ratio.mean(), 1)
    assert abs(fit[0]) < 0.2


def test_a_spectrum_is_measured_along_decorrelated_colours() -> None:
    rng = np.random.default_rng(0)
    only_second = np.zeros((32, 32, 3))
    only_second[..., 1] = rng.normal(size=(32, 32))
    found = spectrum_of([only_second @ PHOTO.normalised.T]).at(3, 32, 32)
    assert found[1].mean() > 1e6 * max(found[0].mean(), found[2].mean())


def test_a_wave_is_found_at_its_own_frequency_at_every_size() -> None:
    x = np.arange(40)
    picture = np.cos(2 * np.pi * x / 8)[None, :, None] * np.ones((24, 1, 1))
    measured = spectrum_of([picture], None)
    for width in (64, 65, 200):
        strongest = np.unravel_index(measured.at(1, 32, width)[0].argmax(), (32, width // 2 + 1))
        assert strongest[0] == 0 and abs(strongest[1] / width - 1 / 8) <= 1 / width


def test_spectra_refuse_what_they_do_not_fit() -> None:
    grey, rgb = np.zeros((4, 4, 1)), np.zeros((4, 4, 3))
    with pytest.raises(UsageError, match="of one depth"):
        spectrum_of([], None)
    with pytest.raises(UsageError, match="of 3 channels"):
        spectrum_of([grey])
    with pytest.raises(UsageError, match="has 3 channels, the picture 1"):
        phases(spectrum_of([rgb]))(Draws(0, [0]), 1, 4, 4)
    assert phases(Spectrum(PHOTO_SPECTRUM.at, "mine")).name == "phases(mine)"

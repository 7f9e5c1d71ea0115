import numpy as np
import pytest

from agnostic.draw.oklab import from_oklab, from_oklch, to_oklab


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # The published reference values of the three primaries, to three places.
        ((1, 0, 0), (0.628, 0.225, 0.126)),
        ((0, 1, 0), (0.866, -0.234, 0.179)),
        ((0, 0, 1), (0.452, -0.032, -0.312)),
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_known_colours(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    np.testing.assert_allclose(to_oklab(rgb), lab, atol=6e-4)


def test_round_trip() -> None:
    rgb = np.random.default_rng(0).random((50, 3))
    np.testing.assert_allclose(from_oklab(to_oklab(rgb)), rgb, atol=1e-12)


def test_lch_is_lab_in_polar_form() -> None:
    lab = to_oklab(from_oklch(0.7, 0.05, 90.0))
    np.testing.assert_allclose(lab, (0.7, 0, 0.05), atol=1e-9)

import pytest

from agnostic.draw.sheet import DARK, LIGHT, Theme


def luminance(colour: tuple[int, int, int]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_words_stand_out_from_the_paper(theme: Theme) -> None:
    for words in (theme.ink, theme.quiet):
        low, high = sorted((luminance(words), luminance(theme.paper)))
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2, level AA

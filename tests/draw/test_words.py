"""Passages of marked words, looked at pixel by pixel: where colour lies, what is written, how lines break."""

import numpy as np
import pytest

from agnostic.draw import words
from agnostic.draw.colour import AMBER, CORAL, TEAL
from agnostic.draw.sheet import DARK, LIGHT
from agnostic.draw.words import MEASURE, Mark, Passage, passages, tint


def passage(*pairs: tuple[str, float | None], bound: float = 1.0, **more: bool) -> Passage:
    marks = [Mark(text, value, number) for number, (text, value) in enumerate(pairs)]
    return Passage("lime", "positive 0.90", marks, bound, **more)


def lines(item: Passage) -> list[str]:
    return [" ".join(placed.atom.text for placed in line) for line in words._lines(item)]


def has(image: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - colour).max(axis=-1) <= 1).any())


def luminance(colour: tuple[int, int, int]) -> float:
    parts = np.array(colour) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(("theme", "dark"), [(LIGHT, False), (DARK, True)])
@pytest.mark.parametrize("signed", [True, False])
def test_ink_can_be_read_on_every_tint(theme: object, dark: bool, signed: bool) -> None:
    for share in np.linspace(-1, 1, 21) if signed else np.linspace(0, 1, 11):
        low, high = sorted([luminance(tint(float(share), theme, signed=signed, dark=dark)), luminance(theme.ink)])  # type: ignore[arg-type,attr-defined]
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_tints_start_at_the_paper_and_thicken_towards_teal_coral_and_amber() -> None:
    assert tint(0, LIGHT) == LIGHT.paper
    for sign, hue, signed in ((1, TEAL, True), (-1, CORAL, True), (1, AMBER, False)):
        away = [np.abs(np.array(tint(sign * share, LIGHT, signed=signed)) - hue).sum() for share in (0.2, 0.5, 1)]
        assert away[0] > away[1] > away[2]


def test_words_are_coloured_by_sign_and_none_where_there_is_no_value() -> None:
    image = np.asarray(passages([passage(("good", 1.0), (" and ", None), ("bad", -0.5))]))
    text = image[100:190, :700]
    assert has(text, tint(1, LIGHT)) and has(text, tint(-0.5, LIGHT))
    assert not has(np.asarray(passages([passage(("plain", None))], footer=""))[100:190], tint(1, LIGHT))


def test_the_same_in_the_dark_and_in_amber() -> None:
    item = passage(("much", 1.0), (" little", 0.2), signed=False)
    assert has(np.asarray(passages([item], dark=True)), tint(1, DARK, signed=False, dark=True))
    assert not has(np.asarray(passages([item])), tint(1, LIGHT))


def test_a_number_stands_below_a_word_that_matters() -> None:
    item = passage(("good", 0.876), (" ", None), ("so", 0.01), (" ", None), ("bad", -0.5))
    atoms = [placed.atom for line in words._lines(item) for placed in line]
    assert [(atom.text, atom.label) for atom in atoms] == [("good", "+0.88"), ("so", ""), ("bad", "-0.5")]
    assert passage(("x", 0.5), signed=False).label(0.5) == "0.5"


def test_lines_break_between_words_and_a_comma_stays_with_its_word() -> None:
    item = passage(*[pair for _ in range(40) for pair in (("word", 0.5), (", ", None))])
    broken = lines(item)
    assert len(broken) > 3 and all(line.startswith("word") for line in broken)
    for line in words._lines(item):
        assert max(placed.x + placed.atom.width for placed in line) <= MEASURE


def test_a_line_break_in_the_text_is_one_and_other_space_is_not() -> None:
    assert lines(passage(("a", 1.0), ("\n", None), ("b  c", 0.5), (" \t ", None), ("d", None))) == ["a", "b c d"]


def test_a_word_that_fits_no_line_is_cut() -> None:
    broken = lines(passage(("x" * 300, 1.0)))
    assert "".join(broken) == "x" * 300 and len(broken) > 2


def test_pieces_of_one_feature_are_one_bar() -> None:
    item = Passage("lime", "", [Mark("two words", 1.0, 0)], 1.0)
    image = np.asarray(passages([item]))
    row = image[110, 48 + 12 : 48 + 120]
    assert has(row[None], tint(1, LIGHT)) and not has(row[None], LIGHT.paper)


def test_a_book_is_cut_and_the_footer_says_so() -> None:
    item = passage(*[("many words here ", 0.5)] * 1000)
    image = passages([item], footer="model · seed 0")
    assert image.height < 60 * 100 + 400
    assert "the first 60 lines are shown" in words._notes("", [item], [words._lines(item)])


def test_letters_that_the_font_lacks_are_said_to_be() -> None:
    item = passage(("猫 really?", 1.0))
    assert "? stands for letters that this font lacks" in words._notes("", [item], [words._lines(item)])
    assert words._notes("", [passage(("really?", 1.0))], [[]]) == ""


def test_heading_accent_and_an_empty_scale_are_drawn() -> None:
    item = Passage("lime", "x", [Mark("zero", 0.0, 0)], 0.0, accent=(217, 112, 43))
    plain, headed = passages([item]), passages([item], heading="Why?")
    assert headed.height > plain.height and has(np.asarray(plain), (217, 112, 43))

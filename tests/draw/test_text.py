import numpy as np
import pytest
from PIL import Image, ImageDraw

from agnostic.draw import text


def ink(line: str, size: int) -> np.ndarray:
    image = Image.new("L", (800, 100))
    ImageDraw.Draw(image).text((10, 60), line, fill=255, font=text.font(size), anchor="ls")
    return np.asarray(image)


@pytest.mark.parametrize(
    ("given", "drawn"),
    [
        ("plain 62.3 % · R = 0.5…", "plain 62.3 % · R = 0.5…"),
        ("café Ångström naïve", "cafe Angstrom naive"),
        ("\N{MINUS SIGN}0.5 a\N{EN DASH}b a\N{EM DASH}b", "-0.5 a-b a-b"),
        ("a \N{RIGHTWARDS ARROW} b \N{MULTIPLICATION SIGN} 2", "a -> b x 2"),
        ("\N{GREEK SMALL LETTER ALPHA} R\N{SUPERSCRIPT TWO}", "alpha R2"),
        ("line\nbreak\tand  space", "line break and space"),
        ("猫", "?"),
        ("", ""),
    ],
)
def test_lines_are_respelled(given: str, drawn: str) -> None:
    assert text.drawable(given) == drawn


def test_what_is_drawn_has_no_empty_box() -> None:
    box = bytes(text.font(28).getmask("\uffff"))
    every = text.drawable("".join(map(chr, range(0xA0, 0x2300))))
    assert all(bytes(text.font(28).getmask(letter)) != box for letter in set(every) - {" "})


def test_figures_have_one_width() -> None:
    assert len({text.font(text.SMALL).getlength(figure) for figure in "0123456789"}) == 1


@pytest.mark.parametrize("room", [10, 50, 137, 300, 2000])
@pytest.mark.parametrize("size", [text.SMALL, text.BODY, text.HEADING])
def test_a_shortened_line_fits_its_room(room: int, size: int) -> None:
    line = text.ellipsised("tabby 62.3 % · Egyptian cat, and so on and on", size, room)
    assert text.width(line, size) <= room
    columns = np.nonzero(ink(line, size).any(axis=0))[0]
    assert not len(columns) or columns[-1] < 10 + room + 1


def test_a_line_that_fits_is_left_whole() -> None:
    line = "tabby 62.3 %"
    assert text.ellipsised(line, 28, text.width(line, 28)) == line
    assert text.ellipsised(line, 28, text.width(line, 28) - 1).endswith("…")


def test_wrapping_keeps_every_word_in_order_and_in_its_room() -> None:
    words = "squeezenet1.1 · lime: 1000 samples, ridge 1.0 · seed 0 · parity 3.1e-6"
    lines = text.wrapped(words, 22, 260)
    assert " ".join(lines) == words and len(lines) > 2
    assert all(text.width(line, 22) <= 260 for line in lines)


def test_wrapping_shortens_a_word_that_is_too_long() -> None:
    (line,) = text.wrapped("x" * 200, 22, 100)
    assert line.endswith("…") and text.width(line, 22) <= 100
    assert text.wrapped("", 22, 100) == []


def test_a_written_line_stays_in_its_box() -> None:
    image = Image.new("RGB", (300, 100), (0, 0, 0))
    text.write(ImageDraw.Draw(image), (10, 20), "Agjpqy|(Å", text.BODY, (255, 255, 255))
    rows = np.nonzero(np.asarray(image).any(axis=(1, 2)))[0]
    assert rows[0] >= 20 and rows[-1] < 20 + text.line_height(text.BODY)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (999.4, "999"),
        (999.6, "1,000"),
        (-1234567.0, "-1,234,567"),
        (2e9, "2e9"),
        (0.05, "0.05"),
        (-3.14159e-12, "-3.14e-12"),
    ],
)
def test_numbers(value: float, said: str) -> None:
    assert text.number(value) == said

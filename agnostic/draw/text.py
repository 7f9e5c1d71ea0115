"""Type for figures: Pillow's own font, and words that fit the room they have."""

import unicodedata
from functools import cache

from PIL import ImageDraw, ImageFont

from agnostic.draw.colour import Colour

# Three sizes, at twice the size they are read at.
HEADING, BODY, SMALL = 40, 28, 22

_SPELLED = {
    "\N{MINUS SIGN}": "-",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFTWARDS ARROW}": "<-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{DIVISION SIGN}": "/",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{ALMOST EQUAL TO}": "~",
    "ß": "ss",
    "ø": "o",
    "Ø": "O",
    "æ": "ae",
    "Æ": "AE",
    "œ": "oe",
    "ł": "l",
}


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Load Pillow's own font, whose figures are all of one width."""
    loaded = ImageFont.load_default(size)
    if not isinstance(loaded, ImageFont.FreeTypeFont):
        raise RuntimeError("this Pillow was built without FreeType; install the wheel from PyPI: pip install pillow")
    return loaded


def drawable(text: str) -> str:
    """Respell a line with characters that the font has, so that no empty boxes are drawn.

    >>> drawable("Café → µ 猫")
    'Cafe -> mu ?'
    """
    line = " ".join(text.split())
    return "".join(letter if _has(letter) else _respelled(letter) for letter in line)


def width(text: str, size: int) -> int:
    """Measure a line in pixels, rounded up."""
    return -int(-font(size).getlength(text) // 1)


def ellipsised(text: str, size: int, room: int) -> str:
    """Respell a line and shorten it until it is no wider than the room, in pixels.

    >>> ellipsised("a long line that does not fit", 28, 150)
    'a long line...'
    """
    line = drawable(text)
    if width(line, size) <= room:
        return line
    shortest, longest = 0, len(line)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        fits = width(_cut(line, middle), size) <= room
        shortest, longest = (middle, longest) if fits else (shortest, middle - 1)
    return _cut(line, shortest) if shortest else ""


def wrapped(text: str, size: int, room: int) -> list[str]:
    """Break a text into lines no wider than the room, in pixels, between its words."""
    lines: list[str] = []
    for word in drawable(text).split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width(joined, size) <= room:
            lines[-1] = joined
        else:
            lines.append(ellipsised(word, size, room))
    return lines


def write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, colour: Colour) -> None:
    """Write one line whose box, a line height tall, has its top left corner here."""
    draw.text((at[0], at[1] + baseline(size)), text, fill=colour, font=font(size), anchor="ls")


def line_height(size: int) -> int:
    """Give the height of one line: 1.4 times its size, even."""
    return 2 * round(0.7 * size)


def baseline(size: int) -> int:
    """Give the distance from the top of a line's box to its baseline."""
    return round(1.05 * size)


def number(value: float) -> str:
    """Print a number in three significant figures, the way it would be said.

    >>> [number(v) for v in (0.0, 0.4217, -12.0, 0.00001234, 123456.0)]
    ['0', '0.422', '-12', '1.23e-5', '123,456']
    """
    if 999.5 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def _cut(line: str, letters: int) -> str:
    return line[:letters].rstrip(" ,;:.·") + "…"


@cache
def _has(letter: str) -> bool:
    """Whether the font draws this letter, and not the box that stands for what it lacks."""
    small = font(SMALL)
    return letter == " " or bytes(small.getmask(letter)) != bytes(small.getmask("\uffff"))


def _respelled(letter: str) -> str:
    """Spell a letter with others: a dash as "-", a Greek letter by its name, an accented one without its accent."""
    plain = unicodedata.normalize("NFKD", letter)
    name = unicodedata.name(plain[0], "")
    if letter in _SPELLED:
        return _SPELLED[letter]
    if unicodedata.category(letter) == "Pd":
        return "-"
    if name.startswith(("GREEK SMALL LETTER ", "GREEK CAPITAL LETTER ")):
        return name.split()[3].lower()
    return "".join(part if _has(part) else "?" for part in plain if not unicodedata.combining(part))

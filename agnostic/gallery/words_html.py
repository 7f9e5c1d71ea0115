"""Marked texts as pages: no script, nothing fetched, everything that comes from outside escaped.

Colours come in ten steps for each sign, as classes, so that the page's own style is all the style it may have.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from html import escape

from agnostic.draw.colour import Colour
from agnostic.draw.sheet import DARK, LIGHT, Theme
from agnostic.draw.words import Passage, tint

_STEPS = 10
_ROOT = "agnostic-words"


def page(passages: Sequence[Passage], *, heading: str, footer: str) -> str:
    """Write a whole page."""
    style = _page_style() + _style()
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    body = "".join(_section(item) for item in passages)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{allowed}'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<main class="{_ROOT}">\n{body}<footer>{escape(footer)}</footer>\n</main>\n</body>\n</html>\n'
    )


def part(passages: Sequence[Passage]) -> str:
    """Write a piece of a page, with its style."""
    body = "".join(_section(item) for item in passages)
    return f'<style>{_style()}</style><div class="{_ROOT}">{body}</div>'


def _section(item: Passage) -> str:
    ends = _ends(item)
    scale = "".join(f'<i class="{_class(item, (step / _STEPS))}"></i>' for step in _scale_steps(item))
    return (
        f"<section{_accent(item.accent)}>\n<h2>{escape(item.title)} <small>{escape(item.caption)}</small>"
        f'<span class="scale" aria-hidden="true">{ends[0]} {scale} {ends[1]}</span></h2>\n'
        f'<p dir="auto">{"".join(_words(item))}</p>\n</section>\n'
    )


def _accent(colour: Colour | None) -> str:
    # Two targets have one colour each, told apart by order; more have none.
    return "" if colour is None else ' class="orange"' if colour[0] > colour[2] else ' class="blue"'


def _ends(item: Passage) -> tuple[str, str]:
    return (_number(item, -item.bound), _number(item, item.bound)) if item.signed else ("0", _number(item, item.bound))


def _scale_steps(item: Passage) -> range:
    return range(-_STEPS if item.signed else 0, _STEPS + 1, 2)


def _words(item: Passage) -> Iterator[str]:
    for mark in item.marks:
        shown = escape(mark.text)
        if mark.value is None:
            yield shown
        else:
            number = _number(item, mark.value)
            classes = _class(item, item.share(mark.value))
            yield f'<mark class="{classes}" tabindex="0" data-n="{number}" aria-label="{shown} {number}">{shown}</mark>'


def _number(item: Passage, value: float) -> str:
    return item.number(value).replace("-", "\N{MINUS SIGN}", 1 if value < 0 else 0)


def _class(item: Passage, share: float) -> str:
    step = round(abs(share) * _STEPS)
    return f"{'u' if not item.signed else 'p' if share > 0 else 'n'}{step}" if step else "z"


@cache
def _style() -> str:
    """The style of marked texts; what is around them is not touched."""
    dark = "".join(_colours(DARK, dark=True))
    return (
        f".{_ROOT}{{color:{_hex(LIGHT.ink)};font:15px/1.5 system-ui,sans-serif;max-width:44em}}"
        f".{_ROOT} h2{{font-size:15px;font-weight:600;margin:24px 0 8px;overflow:hidden}}"
        f".{_ROOT} small{{font-size:15px;font-weight:400}}"
        f".{_ROOT} small,.{_ROOT} footer,.{_ROOT} .scale{{color:{_hex(LIGHT.quiet)}}}"
        f".{_ROOT} .scale{{float:right;font-size:12px;font-weight:400;font-variant-numeric:tabular-nums}}"
        f".{_ROOT} .scale i{{display:inline-block;width:10px;height:10px;vertical-align:-1px}}"
        f".{_ROOT} p{{font:20px/1.9 ui-serif,Charter,Georgia,serif;margin:0;white-space:pre-wrap;"
        "overflow-wrap:anywhere}"
        f".{_ROOT} .orange h2{{border-left:3px solid #d9702b;padding-left:8px}}"
        f".{_ROOT} .blue h2{{border-left:3px solid #2f6fd0;padding-left:8px}}"
        f".{_ROOT} footer{{border-top:1px solid {_hex(LIGHT.line)};font-size:12px;margin-top:24px;padding-top:8px;"
        "overflow-wrap:anywhere}"
        f".{_ROOT} mark{{color:inherit;background:none;border-radius:2px;padding:1px 3px;position:relative}}"
        f".{_ROOT} mark:hover::after,.{_ROOT} mark:focus::after{{content:attr(data-n);position:absolute;left:0;"
        f"top:100%;z-index:1;background:{_hex(LIGHT.ink)};color:{_hex(LIGHT.paper)};font:12px/1.5 system-ui,sans-serif;"
        "padding:1px 6px;border-radius:2px;white-space:nowrap}"
        # Not by colour alone: what speaks against has a dotted line below it, what speaks for a solid one.
        + "".join(f".{_ROOT} mark.p{step}{{border-bottom:2px solid #2f7d74}}" for step in range(2, _STEPS + 1))
        + "".join(f".{_ROOT} mark.n{step}{{border-bottom:2px dotted #b4532f}}" for step in range(2, _STEPS + 1))
        + "".join(_colours(LIGHT, dark=False))
        + f"@media (prefers-color-scheme:dark){{.{_ROOT}{{color:{_hex(DARK.ink)}}}"
        f".{_ROOT} small,.{_ROOT} footer,.{_ROOT} .scale{{color:{_hex(DARK.quiet)}}}"
        f".{_ROOT} footer{{border-color:{_hex(DARK.line)}}}{dark}}}"
    )


def _colours(theme: Theme, *, dark: bool) -> Iterator[str]:
    for kind, sign, signed in (("p", 1, True), ("n", -1, True), ("u", 1, False)):
        for step in range(1, _STEPS + 1):
            colour = _hex(tint(sign * step / _STEPS, theme, signed=signed, dark=dark))
            yield f".{_ROOT} .{kind}{step}{{background:{colour}}}"


def _page_style() -> str:
    return (
        f"body{{margin:0;padding:24px;background:{_hex(LIGHT.paper)}}}main{{margin:0 auto}}"
        f"@media (prefers-color-scheme:dark){{body{{background:{_hex(DARK.paper)}}}}}"
    )


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)

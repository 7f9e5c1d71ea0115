"""Explanations of texts as figures, pages and pieces of notebooks; what comes from outside is only ever text."""

import dataclasses
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from agnostic import gallery
from agnostic.draw.colour import BLUE, ORANGE
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery import words
from agnostic.inputs.words import words as cut

BAD = '<script>alert("x")</script> & </p></style> "quoted"\n\u05e9\u05dc\u05d5\u05dd \N{CAT FACE}'


def explanation(
    text: str = "a warm film", weights: Any = (0.1, 2, -0.5), method: str = "lime", **more: Any
) -> Explanation:
    spans = [list(span) for span in cut(text)]
    weights = np.resize(np.asarray(weights, np.float32), len(spans))
    shown = {"kind": "text", "text": text, "pieces": spans, "features": "words", "fill": "remove"}
    names = [text[start:stop] for start, stop in spans]
    meta = {"shown": shown, "feature_names": names, "model": "net", "probability": 0.9, **more.pop("meta", {})}
    return Explanation(weights, 0.0, more.pop("target", "positive"), method, meta, weights=weights, **more)


class Reader(HTMLParser):
    """Collect what a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("p", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside == ["p"]:
            self.text += data


def test_a_text_is_drawn_as_passages_that_hold_all_of_it() -> None:
    (passage,) = words.passages([explanation("A warm, (dull) film!", (1, -2, 0.5))])
    assert "".join(mark.text for mark in passage.marks) == "A warm, (dull) film!"
    assert [mark.text for mark in passage.marks if mark.value is not None] == [
        "A", "warm", ",", "(", "dull", ")", "film", "!",
    ]  # fmt: skip
    assert (passage.title, passage.caption.split(" · ")[0], passage.bound) == ("lime", "positive 0.90", 2.0)
    assert gallery.is_drawn(explanation()) and gallery.figure([explanation()]).width > 1000


def test_one_method_has_one_scale_and_two_targets_two_colours() -> None:
    found = [explanation(), explanation(weights=(5, 0, 0), target="negative"), explanation(weights=(1,), method="shap")]
    first, second, third = words.passages(found)
    assert first.bound == second.bound == 5 and third.bound == 1
    assert (first.accent, second.accent) == (ORANGE, BLUE)


def test_sizes_are_told_from_signs_by_the_record() -> None:
    (plain,), (sized,) = words.passages([explanation()]), words.passages([explanation(meta={"signed": False})])
    assert (plain.signed, sized.signed) == (True, False)


@pytest.mark.parametrize("write", [lambda item: gallery.html([item]) or "", lambda item: item._repr_html_() or ""])
def test_what_comes_from_outside_is_only_text(write: Any) -> None:
    item = explanation(BAD, target="</h2><img src=x onerror=y>", method="<b>", meta={"model": "<i>net</i>"})
    page = write(item)
    seen = Reader(page)
    assert seen.text == BAD
    assert not {"script", "img", "b", "link", "iframe"} & {tag for tag, _ in seen.tags}
    marks = [attributes for tag, attributes in seen.tags if tag == "mark"]
    assert len(marks) == len(cut(BAD)) and all(attributes["tabindex"] == "0" for attributes in marks)
    assert not any(name.startswith("on") or name == "style" for _, attributes in seen.tags for name in attributes)
    assert "http" not in re.sub(r'http-equiv="[^"]*"', "", page)


def test_the_page_allows_its_own_style_and_nothing_else() -> None:
    page = gallery.html([explanation()]) or ""
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'\"" in page
    assert "prefers-color-scheme:dark" in style[1]


def test_every_number_can_be_read_and_signs_need_no_colour() -> None:
    page = gallery.html([explanation("warm dull film", (2, -1, 0))]) or ""
    marks = {attributes["aria-label"]: attributes for tag, attributes in Reader(page).tags if tag == "mark"}
    assert set(marks) == {"warm +2", "dull \N{MINUS SIGN}1", "film 0"}
    assert [marks[name]["class"] for name in marks] == ["p10", "n5", "z"]
    assert ".p10{border-bottom:2px solid" in page and ".n5{border-bottom:2px dotted" in page


def test_a_notebook_shows_the_words_and_no_picture() -> None:
    item = explanation()
    assert item._repr_png_() is None
    snippet = item._repr_html_() or ""
    assert snippet.startswith("<style>.agnostic-words") and "<body" not in snippet
    # Nothing of the notebook around it is styled.
    rules = re.findall(r"(?:^|})([^{}@]+){", snippet.removeprefix("<style>").split("</style>")[0])
    assert rules and all(part.strip().startswith(".agnostic-words") for rule in rules for part in rule.split(","))


def test_pieces_that_overlap_or_are_missing_do_not_lose_the_text() -> None:
    item = explanation("a warm film", (1, 2, 3))
    item.meta["shown"]["pieces"] = [[0, 1], [2, 7], [5, 11]]  # type: ignore[index]
    assert "".join(mark.text for mark in words.marks(item)) == "a warm film"


def test_what_cannot_be_drawn_together_is_refused() -> None:
    with pytest.raises(UsageError, match="of different texts; draw one figure for each"):
        gallery.figure([explanation(), explanation("another text")])
    with pytest.raises(UsageError, match="has no value for each piece of its text"):
        gallery.figure([dataclasses.replace(explanation(), weights=None)])


def test_a_record_of_a_text_reloads_and_draws(tmp_path: Any) -> None:
    explanation(BAD).save(tmp_path / "e.safetensors")
    loaded = Explanation.load(tmp_path / "e.safetensors")
    assert loaded == explanation(BAD) and gallery.figure([loaded]).width > 1000

import dataclasses
from typing import Any

import numpy as np
import pytest

from agnostic import gallery
from agnostic.draw import Panel
from agnostic.draw.colour import BLUE, ORANGE
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery import pictures

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
RAMP = np.linspace(0, 1, 60, dtype=np.float32).reshape(6, 10)
SEGMENTS = (np.arange(6)[:, None] // 3 + np.zeros(10)).astype(np.int32)


def explanation(values: Any = RAMP, target: str = "tabby, tabby cat", method: str = "rise", **meta: Any) -> Explanation:
    facts = {"model": "net", "model_sha256": "0123456789abcdef", "input": "cat.png", "seed": 7, "evaluations": 40}
    return Explanation(np.asarray(values, np.float32), 0.0, target, method, {**facts, **meta}, PICTURE)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is handed to the drawing room: rows of panels, and the words around them."""
    calls: list[Any] = []
    real = pictures.draw_figure

    def noting(rows: list[list[Panel]], **words: Any) -> Any:
        calls.append((rows, words))
        return real(rows, **words)

    monkeypatch.setattr(pictures, "draw_figure", noting)
    return calls


def test_one_explanation_stands_beside_its_picture(drawn: list[Any]) -> None:
    picture = gallery.figure([explanation(probability=0.385)], heading="why?")
    [(rows, words)] = drawn
    [[shown, heat]] = rows
    assert (shown.style, shown.title, shown.caption) == ("input", "input", "cat.png")
    assert np.array_equal(shown.picture, PICTURE)
    assert (heat.style, heat.title, heat.caption) == ("heat", "rise", "tabby 0.39 · 40 passes")
    assert heat.accent is None and not heat.signed
    assert words == {"heading": "why?", "dark": False, "footer": "net · sha256 0123456789ab · rise · seed 7"}
    assert picture.width > picture.height > 100


@pytest.mark.parametrize(
    ("meta", "caption"),
    [
        ({"r2": 0.876, "layer": "conv"}, "tabby · fit R² 0.88"),
        ({"layer": "fire9/concat"}, "tabby · fire9/concat"),
        ({"probability": 0.0}, "tabby 0.00 · 40 passes"),
        ({"probability": None}, "tabby · 40 passes"),
        ({"probability": 0.4, "class_agnostic": True, "layer": "conv"}, "any class · conv"),
        ({"evaluations": 1}, "tabby · 1 pass"),
    ],
)
def test_the_caption_says_how_far_to_trust_the_map(drawn: list[Any], meta: dict[str, Any], caption: str) -> None:
    gallery.figure([explanation(**meta)])
    assert drawn[0][0][0][1].caption == caption


def test_pieces_are_shown_where_there_are_any(drawn: list[Any]) -> None:
    e = dataclasses.replace(explanation(), segments=SEGMENTS, weights=np.array([1, -1], np.float32))
    gallery.figure([e])
    assert [panel.style for panel in drawn[0][0][0]] == ["input", "heat", "pieces"]
    gallery.figure([e, dataclasses.replace(e, target="espresso")])
    assert [panel.style for panel in drawn[1][0][0]] == ["input", "heat", "heat"]


def test_two_targets_share_a_scale_and_have_two_colours(drawn: list[Any]) -> None:
    gallery.figure([explanation(), explanation(3 * RAMP, "espresso")])
    _, left, right = drawn[0][0][0]
    assert (left.accent, right.accent) == (ORANGE, BLUE)
    assert left.scale == right.scale and left.scale.high > 2


def test_each_method_has_a_scale_of_its_own_and_signs_where_one_map_has(drawn: list[Any]) -> None:
    gallery.figure([explanation(), explanation(9 * RAMP - 4, method="lime"), explanation(RAMP, "x", "lime")])
    _, rise, lime, other = drawn[0][0][0]
    assert (rise.signed, lime.signed, other.signed) == (False, True, True)
    assert rise.scale != lime.scale == other.scale
    assert lime.scale.low == -lime.scale.high


@pytest.mark.parametrize(
    ("values", "signed"), [(RAMP, False), (RAMP - 0.04, False), (RAMP - 0.06, True), (-RAMP, True), (0 * RAMP, False)]
)
def test_a_little_minus_is_noise(drawn: list[Any], values: Any, signed: bool) -> None:
    gallery.figure([explanation(values)])
    assert drawn[0][0][0][1].signed == signed


def test_many_panels_stand_in_rows_by_target_each_with_the_picture_first(drawn: list[Any]) -> None:
    methods = ["lime", "rise", "cam", "occlusion"]
    found = [explanation(method=method, target=target) for target in ("cat", "cup") for method in methods]
    gallery.figure(found)
    rows = drawn[0][0]
    assert [[panel.title for panel in row] for row in rows] == [["input", *methods[:3]], [methods[3]]] * 2
    assert [panel.caption.split(" ")[0] for panel in (*rows[0][1:], *rows[1])] == ["cat"] * 4


def test_settings_are_in_the_footer_once_per_method(drawn: list[Any]) -> None:
    settings = {"cells": 7, "on": 0.5}
    gallery.figure([explanation(settings=settings), explanation(target="x", settings=settings)])
    assert drawn[0][1]["footer"] == "net · sha256 0123456789ab · rise (cells 7, on 0.5) · seed 7"


def test_maps_of_two_sizes_on_one_picture_are_drawn() -> None:
    assert gallery.figure([explanation(), explanation(RAMP[:3, :5])]).width > 100


def test_what_cannot_be_drawn_together_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no explanation to draw"):
        gallery.figure([])
    other = dataclasses.replace(explanation(), picture=255 - PICTURE)
    with pytest.raises(UsageError, match="of different pictures; draw one figure for each"):
        gallery.figure([explanation(), other])
    with pytest.raises(UsageError, match=r"Explanation\(rise of 'tabby, tabby cat': 6 x 10 values\) is not of"):
        gallery.figure([dataclasses.replace(explanation(), picture=None)])
    with pytest.raises(UsageError, match="of different kinds of input; draw one figure for each"):
        gallery.figure([explanation(), dataclasses.replace(explanation(), picture=None)])
    same = dataclasses.replace(explanation(), picture=PICTURE.copy())
    assert gallery.figure([explanation(), same]).width > 100


def test_a_target_is_called_by_its_first_synonym() -> None:
    assert gallery.short("tabby, tabby cat") == "tabby"
    assert gallery.short("fire9/concat:12") == "fire9/concat:12"

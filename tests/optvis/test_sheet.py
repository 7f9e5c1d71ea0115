import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.optvis import sheet
from agnostic.optvis.measures import Measures
from agnostic.optvis.record import Portrait

RECIPE = {"model": {"name": "toy", "sha256": "0" * 64}, "recipe": "unit", "preset": {"size": 8, "steps": 2}, "seed": 0}


def portraits(*labels, channels=3, **measures):
    picture = np.full((8, 8, channels), 0.5, np.float32)
    return [Portrait(label, picture, RECIPE, Measures(1.0, **measures)) for label in labels]


def drawn(monkeypatch, items, **options):
    """Catch what is handed to the figure."""
    seen = {}

    def figure(rows, **settings):
        seen.update(rows=rows, **settings)

    monkeypatch.setattr(sheet, "figure", figure)
    sheet.contact_sheet(items, **options)
    return seen


def titles(seen):
    return [[panel.title for panel in row] for row in seen["rows"]]


def test_units_of_one_layer_are_numbers_below_its_name(monkeypatch):
    seen = drawn(monkeypatch, portraits("a/b:1", "0.5*a/b:1 + 0.5*a/b:12", "a/b:3@4,5"), columns=2, heading="toy")
    assert titles(seen) == [["1", "0.5*1 + 0.5*12"], ["3@4,5"]]
    assert seen["heading"] == "toy · a/b"


def test_others_keep_their_names_or_the_end_of_them(monkeypatch):
    seen = drawn(monkeypatch, portraits("tabby, tabby cat", "features/block/conv:12"), heading="toy")
    assert titles(seen) == [["tabby", "…es/block/conv:12"]]
    assert seen["heading"] == "toy"


def test_captions_say_what_holds_and_what_is_dead():
    (alive,) = portraits("r:1", activation=284.2, share=0.862)
    (dead,) = portraits("r:1", activation=0.0, dead=True)
    (layer,) = portraits("r")
    assert [sheet.caption(item) for item in (alive, dead, layer)] == ["284 · holds 86 %", "dead", "1"]


@pytest.mark.parametrize("channels", [1, 3, 4, 13])
def test_every_kind_of_picture_has_its_place(channels):
    image = sheet.contact_sheet(portraits("r:1", "r:2", channels=channels))
    assert image.mode == "RGB" and image.width > 2 * 256


def test_nothing_to_draw_is_refused():
    with pytest.raises(UsageError, match="0 pictures in 6 columns"):
        sheet.contact_sheet([])
    with pytest.raises(UsageError, match="1 pictures in 0 columns"):
        sheet.contact_sheet(portraits("r:1"), columns=0)

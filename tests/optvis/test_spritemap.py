import json

import numpy as np
import pytest
from PIL import Image

from agnostic.engine.limits import time_limit
from agnostic.errors import UsageError
from agnostic.optvis.lens import Lens
from agnostic.optvis.presets import Preset
from agnostic.optvis.recipes import Order
from agnostic.optvis.spritemap import BATCH, spritemap

UNITS, STEPS, SIZE = 20, 3, 12
NET = """net (float[n,3,12,12] x) => (float[n,20] y) {
    c = Conv(x, w, b) r = Relu(c) p = GlobalAveragePool(r) y = Flatten(p)
}"""
DEAD = 7


@pytest.fixture
def order(opened, rng):
    w = rng.normal(scale=0.1, size=(UNITS, 3, 3, 3)).astype("f4")
    b = np.ones(UNITS, "f4")
    w[DEAD], b[DEAD] = 0, -1
    model = opened(NET, {"w": w, "b": b}, preprocess={"mean": [0.0], "std": [1.0], "scale": 1 / 255, "size": [12, 12]})
    return Order(Lens(model), (), Preset("tiny", SIZE, STEPS, 1.0, ""))


def bytes_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupted_at(order, step):
    """Stop at a step, as a user does."""

    def progress(done, steps, value):
        assert steps == -(-UNITS // BATCH) * STEPS
        if done == step:
            raise KeyboardInterrupt

    return Order(order.lens, (), order.preset, progress=progress)


def test_every_unit_lies_where_the_index_says(order, tmp_path):
    found = spritemap(order, "r", tmp_path, made_by={"seed": 0}, columns=6)
    assert (found.rendered, found.stopped, len(found.units)) == (UNITS, "", UNITS)
    index = json.loads(found.index.read_text())
    assert index["layer"] == "r" and index["model"]["sha256"] == order.lens.model.sha256
    sheet = np.asarray(Image.open(found.sheet))
    for unit, row in enumerate(index["units"]):
        assert row["unit"] == unit
        x, y, width, height = row["place"].values()
        tile = np.asarray(Image.open(tmp_path / row["file"]))
        np.testing.assert_array_equal(sheet[y : y + height, x : x + width], tile)
    activations = [row["measures"]["activation"] for row in index["units"]]
    assert min(activations[:DEAD] + activations[DEAD + 1 :]) > 0


def test_a_dead_unit_is_named_as_such(order, tmp_path):
    found = spritemap(order, "r", tmp_path, made_by={})
    assert [row["unit"] for row in found.units if row["measures"]["dead"]] == [DEAD]
    other = spritemap(order, "c", tmp_path, made_by={})
    tiles = [np.asarray(Image.open(tmp_path / item.units[DEAD]["file"])) for item in (found, other)]
    # In front of the ReLU it is dead too: nothing moves it. Both tiles say the same words.
    np.testing.assert_array_equal(*tiles)


def test_an_interrupted_sheet_resumes_and_ends_with_the_same_bytes(order, tmp_path):
    spritemap(order, "r", tmp_path / "whole", made_by={"seed": 0})
    stopped = spritemap(interrupted_at(order, STEPS + 1), "r", tmp_path / "parts", made_by={"seed": 0})
    assert (stopped.stopped, stopped.rendered) == ("interrupt", BATCH)
    assert [row["unit"] for row in stopped.units if row["measures"] is None] == list(range(BATCH, UNITS))
    assert json.loads(stopped.index.read_text())["stopped"] == "interrupt"
    resumed = spritemap(order, "r", tmp_path / "parts", made_by={"seed": 0})
    assert (resumed.stopped, resumed.rendered) == ("", UNITS - BATCH)
    assert bytes_of(tmp_path / "parts") == bytes_of(tmp_path / "whole")
    assert spritemap(order, "r", tmp_path / "parts", made_by={"seed": 0}).rendered == 0


def test_a_batch_of_which_something_is_missing_or_damaged_is_rendered_again(order, tmp_path):
    whole = spritemap(order, "r", tmp_path, made_by={})
    before = bytes_of(tmp_path)
    (tmp_path / whole.units[3]["file"]).unlink()
    assert spritemap(order, "r", tmp_path, made_by={}).rendered == BATCH
    (tmp_path / whole.units[UNITS - 1]["file"]).write_bytes(b"half a pic")
    assert spritemap(order, "r", tmp_path, made_by={}).rendered == UNITS - BATCH
    assert bytes_of(tmp_path) == before


def test_another_recipe_is_another_content(order, tmp_path):
    spritemap(order, "r", tmp_path, made_by={"seed": 0})
    assert spritemap(order, "r", tmp_path, made_by={"seed": 1}).rendered == UNITS


def test_the_most_active_units_come_first(order, tmp_path):
    activity = np.tile(np.arange(UNITS, dtype=np.float64), (4, 1))
    stopped = spritemap(interrupted_at(order, STEPS + 1), "r", tmp_path, made_by={}, activity=activity)
    done = [row for row in stopped.units if row["measures"] is not None]
    assert [row["unit"] for row in done] == list(range(UNITS - BATCH, UNITS))
    for row in done:
        assert row["measures"]["percentile"] == (100.0 if row["measures"]["activation"] > row["unit"] else 0.0)


def test_the_end_of_the_time_keeps_what_there_is(order, tmp_path):
    with time_limit(1e-6):
        found = spritemap(order, "r", tmp_path, made_by={})
    assert (found.stopped, found.rendered) == ("time", 0)
    assert found.sheet.exists()


def test_a_unit_alone_has_the_picture_it_has_on_the_sheet(order, tmp_path):
    from agnostic.optvis.portraying import portray
    from agnostic.optvis.recipes import get

    found = spritemap(order, "r", tmp_path, made_by={})
    ((alone,), _) = portray(Order(order.lens, ("r:18",), order.preset), get("unit"), {})
    sheet = np.asarray(Image.open(tmp_path / found.units[18]["file"])).astype(int)
    # Batches of other sizes sum in another order: no more than the last bit of a pixel.
    assert np.abs(sheet - np.asarray(alone.image()).astype(int)).max() <= 1


def test_what_cannot_be_a_sheet_is_refused(order, tmp_path):
    with pytest.raises(UsageError, match="unknown layer"):
        spritemap(order, "nowhere", tmp_path, made_by={})
    with pytest.raises(UsageError, match="two pictures of a unit"):
        spritemap(order, "r", tmp_path, made_by={}, settings={"sign": "both"})

import json

import numpy as np
import pytest
from PIL import Image

from agnostic.engine.gradients import Parity
from agnostic.errors import InputError, LimitError, UsageError
from agnostic.optvis.measures import Measures
from agnostic.optvis.record import FORMAT, RECIPE, Portrait, portraits, read_recipe
from agnostic.optvis.rendering import Rendering


def portrait(rng, channels=3, **measures):
    recipe = {"format": FORMAT, "of": "r:1", "model": {"name": "toy", "sha256": "0" * 64}, "seed": 3}
    return Portrait("r:1", rng.random((8, 9, channels)).astype(np.float32), recipe, Measures(0.5, **measures))


def test_the_recipe_travels_in_the_png_and_with_the_numbers_in_the_json(rng, tmp_path):
    item = portrait(rng, activation=2.0)
    record = item.save(tmp_path, "unit")
    assert read_recipe(tmp_path / "unit.png") == item.recipe
    beside = read_recipe(tmp_path / "unit.json")
    assert beside == record == json.loads((tmp_path / "unit.json").read_text())
    assert item.recipe.items() <= beside.items()
    assert beside["measures"]["activation"] == 2.0
    assert beside["files"]["picture"] == "unit.png"
    with Image.open(tmp_path / "unit.png") as picture:
        assert {"Title": "r:1"}.items() <= picture.info.items()
        np.testing.assert_array_equal(np.asarray(picture), np.rint(item.picture * 255).astype(np.uint8))


def test_the_same_picture_gives_the_same_bytes(rng, tmp_path):
    item = portrait(rng)
    for stem in ("a", "b"):
        (tmp_path / stem).mkdir()
        item.save(tmp_path / stem, "unit")
    for name in ("unit.png", "unit.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA"), (2, "RGB"), (13, "RGB")])
def test_every_number_of_channels_has_a_picture(rng, tmp_path, channels, mode):
    item = portrait(rng, channels)
    record = item.save(tmp_path, "unit")
    with Image.open(tmp_path / "unit.png") as picture:
        assert picture.mode == mode
    assert ("array" in record["files"]) == (channels in (2, 13))


def test_all_bands_are_kept_and_the_chosen_ones_shown(rng, tmp_path):
    item = portrait(rng, 13)
    record = item.save(tmp_path, "unit", bands=(12, 0, 5))
    assert record["files"]["bands"] == [12, 0, 5]
    np.testing.assert_array_equal(np.load(tmp_path / "unit.npy"), item.picture)
    with Image.open(tmp_path / "unit.png") as picture:
        shown = np.asarray(picture)
    np.testing.assert_array_equal(shown, np.rint(item.picture[..., [12, 0, 5]] * 255).astype(np.uint8))
    for bands in ((0, 1), (0, 1, 13)):
        with pytest.raises(UsageError, match="expected three numbers of 0 to 12"):
            item.image(bands)


def test_a_dead_unit_gets_a_tile_that_says_so_whatever_its_picture(rng):
    tiles = [np.asarray(portrait(np.random.default_rng(seed), dead=True).image()) for seed in (0, 1)]
    np.testing.assert_array_equal(*tiles)
    assert tiles[0].shape == (8, 9, 3)
    large = Portrait("r:1", np.zeros((128, 128, 3), np.float32), {}, Measures(None, dead=True))
    other = Portrait("r:2", np.zeros((128, 128, 3), np.float32), {}, Measures(None, dead=True))
    ink = np.asarray(large.image()).min(axis=2) < 128
    assert 50 < ink.sum() < 128 * 128 / 10
    assert not np.array_equal(np.asarray(large.image()), np.asarray(other.image()))


def test_files_that_hold_no_recipe_are_refused(rng, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    for name in ("plain.png", "list.json"):
        with pytest.raises(InputError, match="carries no recipe of this package"):
            read_recipe(tmp_path / name)
    for name in ("broken.png", "missing.png"):
        with pytest.raises(InputError, match="cannot be read as a picture with a recipe"):
            read_recipe(tmp_path / name)
    with pytest.raises(LimitError, match="cannot be written"):
        portrait(rng).save(tmp_path / "nowhere", "unit")


def test_portraits_say_all_that_is_needed_to_repeat_them(opened, rng):
    model = opened("g (float[n,3,4,4] x) => (float[n,3,4,4] y) { y = Relu(x) }")
    values = np.array([[1.0, 2.0], [3.0, np.nan]], np.float32)
    rendered = Rendering(
        rng.random((2, 4, 4, 3)).astype("f4"), {}, values, np.array([True, True]), "interrupt",
        {"objective": "all of them", "steps": 2, "transforms": "jitter(4)"},
    )  # fmt: skip
    numbers = [Measures(3.0), Measures(2.0)]
    first, second = portraits(
        rendered, ["y:0", "y:1"], numbers, model=model, made_by={"recipe": "unit"}, parity=Parity(1e-6, 2.0, "y")
    )
    assert (first.recipe["steps_done"], second.recipe["steps_done"]) == (2, 1)
    assert first.recipe["stopped"] == "interrupt"
    assert first.recipe["model"] == {"name": "model", "sha256": model.sha256}
    assert first.recipe["rendering"] == {"steps": 2, "transforms": "jitter(4)"}
    assert first.recipe["parity"]["tensor"] == "y"
    assert {"torch", "numpy", "pillow"} <= first.recipe["versions"].keys()
    assert RECIPE.encode() in first.png()

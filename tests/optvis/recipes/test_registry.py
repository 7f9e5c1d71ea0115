import numpy as np
import pytest

from agnostic.errors import InputError, UsageError
from agnostic.optvis import presets, recipes
from agnostic.optvis.params import spectrum_of


def test_every_recipe_says_what_it_is_and_explains_each_option():
    known = recipes.all_recipes()
    assert list(known) == sorted(known) and {"unit", "class", "deepdream", "interpolate"} <= set(known)
    for item in known.values():
        assert item.summary.endswith(".") and item.preset in presets.PRESETS
        assert all(option.help for option in item.options), item.name


@pytest.mark.parametrize(
    ("name", "names", "settings", "error", "message"),
    [
        ("unit", (), {}, UsageError, "unit of what? expected LAYER:UNIT or a class"),
        ("caricature", (), {}, UsageError, "caricature of what? expected LAYER"),
        ("deepdream", (), {}, UsageError, "deepdream of what? expected LAYER, LAYER:UNIT or a class"),
        ("unit", ("relu:0",), {"sing": "both"}, UsageError, "unknown option of unit 'sing'; did you mean 'sign'?"),
        ("texture", ("relu",), {"x": 1}, UsageError, "unknown option of texture 'x'; texture has no options"),
        ("accentuate", ("relu:0",), {}, InputError, "accentuate starts from a picture: give one with --picture FILE"),
    ],
)
def test_what_an_order_lacks_is_said(net, order, name, names, settings, error, message):
    with pytest.raises(error) as caught:
        recipes.get(name)(order(net, *names), **settings)
    assert str(caught.value) == message


def test_an_unknown_recipe_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="unknown recipe 'deepdraem'; did you mean 'deepdream'"):
        recipes.get("deepdraem")


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'unit' is registered twice"):
        recipes.recipe("unit", takes="units", summary="Again.")(lambda order: None)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["tabby"], "class"),
        (["tabby - espresso", "281"], "class"),
        (["tabby", "relu:1"], "unit"),
        (["logits[281]"], "unit"),
        ([], "unit"),
    ],
)
def test_the_recipe_follows_from_the_names(names, found):
    assert recipes.default_for(names) == found


@pytest.mark.parametrize(("shape", "given"), [((12, 16), "[12, 16]"), ((12, 16, 4), "[12, 16, 4]")])
def test_a_picture_of_other_channels_is_refused(net, order, shape, given):
    wrong = order(net, "relu", picture=np.zeros(shape, np.float32))
    with pytest.raises(InputError) as caught:
        recipes.get("caricature")(wrong)
    assert str(caught.value) == f"the picture is {given}: the model eats (h, w, 3)"


def test_phases_keep_the_spectrum_whatever_is_maximised(net, order, picture):
    preset = presets.Preset("phases", 32, 6, 1.0, "", phases=True, views=2)
    spectrum = spectrum_of([picture], None)
    made = recipes.get("unit")(order(net, "top:1", preset=preset, colours=None, spectrum=spectrum, seed=4))
    assert made.recipe["views"] == 2 and "random_crop" in made.recipe["transforms"]
    assert "phases(1 pictures)" in made.recipe["parametrisation"]
    raw = np.log(made.pictures[0] / (1 - made.pictures[0])).transpose(2, 0, 1)
    measured, wanted = np.abs(np.fft.rfft2(raw)), spectrum.at(3, 32, 32)
    # The mean and the waves that are their own conjugates are not free; all others are in one proportion.
    ratio = (measured / np.maximum(wanted, 1e-12))[:, 1:16, 1:16]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-3)


def test_recipes_that_lay_out_the_picture_themselves_keep_to_the_views_of_the_preset(net, order, picture):
    preset = presets.Preset("phases", 32, 2, 1.0, "", phases=True, views=2)
    made = recipes.get("caricature")(order(net, "top", preset=preset, picture=picture))
    assert made.pictures.shape == (1, 24, 32, 3) and "random_crop" not in made.recipe["transforms"]


def test_the_parts_of_a_progress_make_one(net, order):
    told = []
    whole = order(net, "relu:0", progress=lambda done, steps, value: told.append((done, steps, value)))
    whole.part(0, 3).progress(4, 4, 1.0)
    whole.part(2, 3).progress(1, 4, 2.0)
    assert told == [(4, 12, 1.0), (9, 12, 2.0)]
    order(net, "relu:0").part(0, 2).progress(1, 1, 0.0)


def test_an_order_falls_into_one_for_each_name(net, order):
    parts = order(net, "relu:0", "relu:1", streams=(7, 9)).each()
    assert [(part.names, part.streams) for part in parts] == [(("relu:0",), (7,)), (("relu:1",), (9,))]
    assert [part.streams for part in order(net, "relu:0", "relu:1").each()] == [None, None]

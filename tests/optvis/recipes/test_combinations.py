import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis import recipes
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Objective
from agnostic.optvis.objectives import direction
from agnostic.optvis.recipes.combinations import against, places_of, vector_of


@pytest.fixture(scope="module")
def either(plain):
    """A unit that is excited by stripes down or by stripes across, beside the units of each alone."""
    stripes = np.array([-1.0, -1.0, 1.0, 1.0], np.float32)
    down, across = np.tile(stripes, (4, 1)), np.tile(stripes[:, None], (1, 4))
    filters = np.stack([np.stack([kind] * 3) for kind in (down, across)]).astype(np.float32) / 8
    joined = np.array([[1, 1], [1, 0], [0, 1]], np.float32)[:, :, None, None]
    text = """net (float[n,3,h,w] x) => (float[n,3] y) {
        a = Conv(x, wa) r = Relu(a) top = Conv(r, wb) p = GlobalAveragePool(top) y = Flatten(p)
    }"""
    return plain(text, {"wa": filters, "wb": joined})


def test_diversity_finds_both_things_that_excite_a_unit(either, order, seen_by):
    """How much of what a picture excites the unit by are stripes down: 1 and 0 in the end, about a half without."""
    found = {}
    for weight in (0.0, 1.0):
        made = recipes.get("diversity")(order(either, "top:0", steps=100), pictures=2, weight=weight)
        assert made.pictures.shape == (2, 16, 16, 3) and made.names == ("top:0",) * 2
        maps = seen_by(either, made.pictures, "top")
        assert (maps[:, 0].mean(axis=(1, 2)) > 0.1).all()
        found[weight] = likeness(*maps), np.ptp(maps[:, 1].mean(axis=(1, 2)) / maps[:, 0].mean(axis=(1, 2)))
    assert found[1.0][0] < found[0.0][0] - 0.1 and found[1.0][1] > found[0.0][1] + 0.2


def likeness(*maps):
    """The cosine of two Gram matrices."""
    grams = [(rows @ rows.T).ravel() for rows in (layer.reshape(len(layer), -1) for layer in maps)]
    return grams[0] @ grams[1] / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1])


def test_units_have_their_pictures_each(net, order):
    made = recipes.get("diversity")(order(net, "top:1", "relu:2", steps=2), pictures=2)
    alone = recipes.get("diversity")(order(net, "relu:2", steps=2), pictures=2)
    assert made.names == ("top:1", "top:1", "relu:2", "relu:2")
    assert np.array_equal(made.pictures[2:], alone.pictures)
    assert made.recipe["objective"] == "top:1 - 1 * |top:1| * diversity(top), relu:2 - 1 * |relu:2| * diversity(relu)"


@pytest.mark.parametrize("settings", [{"pictures": 1}, {"weight": -1.0}])
def test_diversity_needs_two_pictures(net, order, settings):
    with pytest.raises(UsageError, match="expected at least two pictures"):
        recipes.get("diversity")(order(net, "top:1"), **settings)


def test_classes_are_compared_at_the_last_layer_with_places(net, plain):
    lens = Lens(net)
    assert [places_of(lens, name) for name in ("relu:1", "tabby", "pooled:2")] == ["relu", "top", "top"]
    flat = plain(
        "net (float[n,3,4,4] x) => (float[n,4] y) { v = Flatten(x) y = MatMul(v, w) }",
        {"w": np.ones((48, 4), np.float32)},
        size=4,
    )
    with pytest.raises(UsageError, match="no layer of this model has places"):
        places_of(Lens(flat), "tabby")


def test_a_penalty_is_weighed_in_units_of_the_aim():
    aim = Objective(lambda seen: 10 * seen.pictures.mean(dim=(1, 2, 3)), "aim")
    penalty = Objective(lambda seen: seen.pictures[:, 0, 0, 0], "penalty", couples=True)
    planes = torch.tensor([0.2, 0.6]).view(2, 1, 1, 1).requires_grad_()
    whole = against(aim, penalty, 0.5)
    values = whole(Seen(None, planes, planes))
    np.testing.assert_allclose(values.detach(), [2 - 0.5 * 2 * 0.2, 6 - 0.5 * 6 * 0.6], rtol=1e-6)
    values.sum().backward()
    # The size of the aim is a number here: no gradient flows through it.
    np.testing.assert_allclose(planes.grad.flatten(), [10 - 0.5 * 2, 10 - 0.5 * 6], rtol=1e-6)
    assert (whole.name, whole.couples) == ("aim - 0.5 * |aim| * penalty", True)


def test_a_direction_is_read_off_a_sum_of_units(net):
    layer, vector = vector_of(Lens(net), "relu:1 - 0.5*relu:4 + relu:1")
    assert (layer, vector.dtype, vector.tolist()) == ("relu", np.float32, [0, 2, 0, 0, -0.5, 0])


@pytest.mark.parametrize("name", ["relu:1 + top:1", "relu:1@3,3", "relu:1@3,3 + relu:2", "tabby"])
def test_what_is_no_direction_of_one_layer_is_refused(net, order, name):
    with pytest.raises(UsageError, match="is no direction: expected whole units of one layer"):
        recipes.get("direction")(order(net, name))


def test_without_a_power_a_direction_is_the_sum_of_units(net, order):
    made = recipes.get("direction")(order(net, "top:1 + 0.5*top:2"), cossim_pow=0)
    plain = recipes.get("unit")(order(net, "top:1 + 0.5*top:2"))
    assert made.names == ("top:1 + 0.5*top:2",)
    np.testing.assert_allclose(made.values, plain.values, rtol=1e-3, atol=1e-3)
    assert made.recipe["objective"] == str(direction("top", np.zeros(5), 0))


def test_a_power_weighs_how_alone_the_units_are(net, order, seen_by):
    """Each picture is the better one by its own measure, both as onnxruntime sees them."""
    pair = np.zeros(5)
    pair[[1, 2]] = 1

    def measured(power):
        made = recipes.get("direction")(order(net, "top:1 + top:2", steps=80), cossim_pow=power)
        rows = np.moveaxis(seen_by(net, made.pictures, "b")[0], 0, -1)
        dots = rows @ pair
        cosines = dots / np.linalg.norm(rows, axis=-1) / np.linalg.norm(pair)
        return dots.mean(), (dots * np.maximum(0.1, cosines) ** 4).mean()

    (far, _), (_, alone) = measured(0.0), measured(4.0)
    assert far > measured(4.0)[0] and alone > 1.1 * measured(0.0)[1]


def test_a_negative_power_is_refused(net, order):
    with pytest.raises(UsageError, match="--cossim-pow -1: expected 0 or more"):
        recipes.get("direction")(order(net, "top:1"), cossim_pow=-1.0)


def test_the_way_between_two_units_ends_at_them(net, order, seen_by):
    made = recipes.get("interpolate")(order(net, "top:1", "top:3", steps=60), pictures=5)
    assert made.names == (
        "top:1", "0.75*top:1 + 0.25*top:3", "0.5*top:1 + 0.5*top:3", "0.25*top:1 + 0.75*top:3", "top:3",
    )  # fmt: skip
    maps = seen_by(net, made.pictures, "b").mean(axis=(2, 3))
    singles = recipes.get("unit")(order(net, "top:1", "top:3", steps=60))
    alone = seen_by(net, singles.pictures, "b").mean(axis=(2, 3))
    for unit, end, single in ((1, 0, 0), (3, 4, 1)):
        assert maps[end, unit] == maps[:, unit].max() > 0.8 * alone[single, unit] > 0
    assert np.corrcoef(maps[:, 1], range(5))[0, 1] < -0.8 and np.corrcoef(maps[:, 3], range(5))[0, 1] > 0.8


def test_neighbours_on_the_way_look_alike(net, order):
    made = recipes.get("interpolate")(order(net, "top:1", "top:3", steps=40), pictures=6).pictures

    def apart(gap):
        return np.mean([np.abs(a - b).mean() for a, b in zip(made[:-gap], made[gap:], strict=True)])

    assert apart(1) < 0.8 * apart(5)


@pytest.mark.parametrize(("names", "pictures"), [(("top:1",), 6), (("top:1", "top:2", "top:3"), 6), (("a", "b"), 1)])
def test_a_way_needs_two_ends(net, order, names, pictures):
    with pytest.raises(UsageError, match="give LAYER:UNIT twice"):
        recipes.get("interpolate")(order(net, *names), pictures=pictures)


def test_names_of_a_way_are_targets(net, order):
    made = recipes.get("interpolate")(order(net, "tabby", "espresso", steps=1), pictures=4)
    assert all(net.target(name) for name in made.names)


@pytest.mark.parametrize(("name", "names"), [("diversity", ("top:1",)), ("interpolate", ("top:1", "top:2"))])
def test_pictures_that_belong_together_are_never_parted(net, order, name, names):
    whole = recipes.get(name)(order(net, *names, steps=4, seed=2), pictures=3)
    split = recipes.get(name)(order(net, *names, steps=4, seed=2, batch_size=1), pictures=3)
    other = recipes.get(name)(order(net, *names, steps=4, seed=3), pictures=3)
    assert whole.pictures.tobytes() == split.pictures.tobytes() != other.pictures.tobytes()

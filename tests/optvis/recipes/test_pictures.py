import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.optvis import recipes
from agnostic.optvis.presets import Preset

WHOLE = ["deepdream", "caricature", "inversion", "texture"]


def cosine(a, b):
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture
def mixing(plain):
    """A layer that mixes the three colours: all of a picture is in it."""
    weights = np.array([[1.0, 0.2, -0.3], [-0.4, 1.0, 0.5], [0.1, -0.6, 1.0]], np.float32)[:, :, None, None]
    text = "net (float[n,3,h,w] x) => (float[n,3] y) { map = Conv(x, w) p = GlobalAveragePool(map) y = Flatten(p) }"
    return plain(text, {"w": weights})


def test_a_dream_has_more_of_the_layer_and_the_size_of_the_picture(net, order, picture, seen_by):
    made = recipes.get("deepdream")(order(net, "relu", "top:2", picture=picture, steps=8), octaves=2, step_size=0.02)
    assert made.pictures.shape == (2, *picture.shape) and made.names == ("relu", "top:2")
    assert made.values.shape == (4, 2) and made.stopped == "" and made.moved.all()
    before, after = (np.square(seen_by(net, p, "relu")).mean() for p in (picture[None], made.pictures[:1]))
    assert after > 1.3 * before
    before, after = (seen_by(net, p, "b")[:, 2].mean() for p in (picture[None], made.pictures[1:]))
    assert after > before


def test_a_caricature_points_where_the_picture_does(net, order, picture, seen_by):
    made = recipes.get("caricature")(order(net, "top", picture=picture, steps=150), cossim_pow=1.0)
    assert made.pictures.shape == (1, *picture.shape) and made.names == ("top",)
    mine, given = (seen_by(net, pictures, "top") for pictures in (made.pictures, picture[None]))
    assert cosine(mine, given) > 0.9
    assert np.linalg.norm(mine) > 1.2 * np.linalg.norm(given)


def test_a_caricature_has_the_shape_of_the_picture_and_the_size_of_the_preset(net, order, picture):
    made = recipes.get("caricature")(order(net, "relu", picture=picture, size=24, steps=1))
    assert made.pictures.shape == (1, 18, 24, 3)


def test_an_inversion_of_a_layer_that_keeps_everything_is_the_picture(mixing, order, picture):
    made = recipes.get("inversion")(order(mixing, "map", picture=picture, steps=300), smooth=0.0)
    assert made.values[-1] > -1e-3
    assert np.sqrt(np.square(made.pictures[0] - picture).mean()) < 0.03


def test_an_inversion_is_smoother_where_that_counts(net, order, picture):
    def rough(smooth):
        made = recipes.get("inversion")(order(net, "top", picture=picture, steps=60), smooth=smooth).pictures[0]
        return np.abs(np.diff(made, axis=0)).sum() + np.abs(np.diff(made, axis=1)).sum()

    assert rough(5.0) < 0.7 * rough(0.0)


def test_an_accentuation_starts_from_the_picture_and_stays_near_it(net, order, picture, seen_by):
    def apart(pictures):
        return np.sqrt(np.square(pictures - picture).mean(axis=(1, 2, 3)))

    start = recipes.get("accentuate")(order(net, "top:2", picture=picture, steps=1))
    free, kept = (
        recipes.get("accentuate")(order(net, "top:2", picture=picture, steps=60), keep=keep) for keep in (0.0, 2.0)
    )
    assert apart(start.pictures) < 0.02 and apart(kept.pictures) < 0.8 * apart(free.pictures)
    excited = [seen_by(net, pictures, "b")[0, 2].mean() for pictures in (picture[None], kept.pictures, free.pictures)]
    assert excited == sorted(excited) and excited[1] > excited[0] + 0.5


def test_a_texture_comes_to_have_the_style_of_the_picture(net, order, picture):
    made = recipes.get("texture")(order(net, "relu", "top", picture=picture, steps=120))
    assert made.pictures.shape == (1, 16, 16, 3) and made.names == ("relu + top",)
    assert made.values[-1] > 0.3 * made.values[0]


@pytest.mark.parametrize("name", [*WHOLE, "accentuate"])
def test_the_same_seed_gives_the_same_bytes(net, order, picture, name):
    of = "relu:1" if name == "accentuate" else "relu"
    first, again, other = (
        recipes.get(name)(order(net, of, picture=picture, steps=4, seed=seed)).pictures for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("name", [*WHOLE, "accentuate"])
def test_unknown_names_are_met_with_the_nearest(net, order, picture, name):
    wrong = "rellu:1" if name == "accentuate" else "rellu"
    with pytest.raises(UsageError, match=r"unknown .* 'rellu'; did you mean 'relu'"):
        recipes.get(name)(order(net, wrong, picture=picture))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("caricature", {"cossim_pow": -1.0}, "--cossim-pow -1: expected 0 or more"),
        ("inversion", {"smooth": -1.0}, "--smooth -1: expected 0 or more"),
        ("accentuate", {"keep": -1.0}, "--keep -1: expected 0 or more"),
        ("deepdream", {"octaves": 0}, "octaves=0, steps=24: expected at least one of each"),
    ],
)
def test_numbers_out_of_range_are_refused(net, order, picture, name, settings, message):
    with pytest.raises(UsageError) as caught:
        recipes.get(name)(order(net, "relu:1" if name == "accentuate" else "relu", picture=picture), **settings)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", [*WHOLE, "accentuate"])
def test_models_of_one_size_and_of_many_bands_have_them_all(opened, order, rng, name):
    text = (
        "net (float[n,7,16,16] x) => (float[n,36] y) { a = Conv(x, wa) r = Relu(a) f = Flatten(r) y = MatMul(f, wb) }"
    )
    weights = {"wa": rng.normal(size=(4, 7, 3, 3)), "wb": rng.normal(size=(784, 36))}
    model = opened(text, {key: value.astype(np.float32) for key, value in weights.items()})
    bands = rng.random((20, 12, 7), np.float32)
    of = "y[3]" if name == "accentuate" else "y" if name in ("caricature", "inversion") else "r"
    made = recipes.get(name)(order(model, of, picture=bands, size=20, steps=4, colours=None))
    assert made.pictures.shape[3] == 7 and made.moved.all()
    assert name == "texture" or made.pictures.shape == (1, 20, 12, 7)


def test_tokens_are_drawn_as_maps_are(opened, order, rng, picture):
    text = """net (float[n,3,16,16] x) => (float[n,2] y) {
        m = Conv<strides=[4,4]>(x, kernel) f = Reshape(m, rows) t = Transpose<perm=[0,2,1]>(f) h = MatMul(t, wm)
        block = Relu(h) c = ReduceMean<axes=[1], keepdims=0>(block) y = MatMul(c, wh)
    }"""
    shapes = {"kernel": (8, 3, 4, 4), "wm": (8, 6), "wh": (6, 2)}
    weights = {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}
    model = opened(text, {**weights, "rows": np.array([0, 8, -1])})
    assert {layer.name: layer.kind for layer in model.layers}["block"] == "tokens"
    for name in (*WHOLE, "accentuate"):
        of = "block:1" if name == "accentuate" else "block"
        made = recipes.get(name)(order(model, of, picture=picture, steps=6))
        assert made.moved.all() and np.isfinite(made.values).all()
    made = recipes.get("diversity")(order(model, "block:1", steps=4), pictures=2)
    assert "diversity(block)" in made.recipe["objective"]


def test_the_steps_of_a_dream_are_shared_out_among_its_sizes(net, order, picture):
    large = np.tile(picture, (8, 8, 1))
    preset = Preset("tiny", 16, 7, 1.0, "")
    made = recipes.get("deepdream")(order(net, "relu", picture=large, preset=preset), octaves=3)
    assert made.values.shape == (6, 1) and made.recipe["steps"] == 2 and made.recipe["octaves"] == 3

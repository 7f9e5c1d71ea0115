import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis import objectives as o
from agnostic.optvis import params, render
from agnostic.optvis.lens import Lens
from agnostic.optvis.transforms import jitter, random_scale, transform


@pytest.fixture
def given(rng):
    return np.random.default_rng(99).random((16, 14, 3), np.float32)


def gram(maps):
    """(C, h, w) to (C, C)."""
    units = maps.reshape(len(maps), -1).astype(np.float64)
    return units @ units.T / units.shape[1]


def alike(maps, given, power):
    dot = (maps * given).sum(axis=(1, 2, 3))
    cosine = dot / np.sqrt((maps**2).sum(axis=(1, 2, 3))) / np.sqrt((given**2).sum())
    return dot * np.maximum(cosine, 0.1) ** power


def test_the_difference_of_pictures(seen, pictures, given, agree):
    agree(o.input_diff(given)(seen), np.sqrt(((pictures - given) ** 2).mean(axis=(1, 2, 3))))


def test_opacity_is_no_part_of_the_difference(net, rng, given, look, agree):
    see_through = rng.random((2, 16, 14, 4), np.float32)
    expected = np.sqrt(((see_through[..., :3] - given) ** 2).mean(axis=(1, 2, 3)))
    agree(o.input_diff(given)(look(net, see_through, alpha=True)), expected)


def test_the_same_picture_has_a_finite_gradient(net, given, look):
    view = look(net, given[None])
    view.pictures = view.pictures.clone().requires_grad_()
    o.input_diff(given)(view).sum().backward()
    assert torch.isfinite(view.pictures.grad).all()


@pytest.mark.parametrize("power", [0, 1, 2])
def test_given_activations_are_one_long_direction(power, seen, ort, computed, given, agree):
    wanted = computed(given[None]).behind("joined")[0]
    agree(o.dot_compare("joined", wanted, power)(seen), alike(ort.behind("joined"), wanted, power), rtol=1e-3)
    agree(o.dot_compare("joined", -wanted, power)(seen), alike(ort.behind("joined"), -wanted, power), rtol=1e-3)


def test_activations_of_another_size_are_resized(seen, ort, agree):
    # What is the same everywhere is so at any size.
    flat = np.full((4, 2, 3), 0.5, np.float32)
    agree(o.dot_compare("clip", flat)(seen), 0.5 * ort.behind("clip").sum(axis=(1, 2, 3)))


def test_the_difference_of_activations_is_a_share_of_their_energy(
    net, seen, ort, computed, pictures, given, look, agree
):
    wanted = computed(given[None]).behind("joined")
    expected = np.square(ort.behind("joined") - wanted).sum(axis=(1, 2, 3)) / np.square(wanted).sum()
    agree(o.activation_diff("joined", given)(seen), expected, rtol=1e-3)
    agree(o.activation_diff("joined", pictures[0])(look(net, pictures[:1])), np.zeros(1))


@pytest.mark.parametrize("power", [0, 1])
def test_a_caricature_compares_a_layer_of_two_pictures(power, seen, ort, computed, given, agree):
    wanted = computed(given[None]).behind("joined")
    agree(o.caricature("joined", given, power)(seen), alike(ort.behind("joined"), wanted, power), rtol=1e-3)


def test_the_given_picture_is_shaken_as_the_drawn_one_is(net, given):
    # Pictures that are the same before they are shaken are the same after it, each by its own draws.
    seeing = {}

    def watch(seen):
        beside = seen.beside(same)
        seeing["drawn"], seeing["given"] = seen.shown.detach(), beside.shown
        return seen("clip").mean(dim=(1, 2, 3))

    @transform
    def stamped():
        return lambda pictures, draws: pictures * 0 + same + 0 * draws.normal(1, 1, 1)

    same = torch.from_numpy(given).movedim(-1, 0)[None]
    shaking = [stamped(), jitter(4), random_scale([0.9, 1.1])]
    render(net, watch, params.image(14, 16), transforms=shaking, count=3, steps=2)
    torch.testing.assert_close(seeing["drawn"], seeing["given"])
    assert not torch.equal(seeing["given"][0], seeing["given"][1])


def test_each_picture_may_have_a_caricature_of_its_own(net, given, rng):
    other = rng.random((16, 14, 3), np.float32)
    shaking = [jitter(4)]
    both = render(
        net,
        [o.caricature("joined", given), o.caricature("joined", other)],
        params.image(14, 16),
        transforms=shaking,
        steps=2,
    )
    alone = [
        render(
            net, o.caricature("joined", picture), params.image(14, 16), transforms=shaking, steps=2, streams=[number]
        )
        for number, picture in enumerate((given, other))
    ]
    np.testing.assert_allclose(both.values, np.concatenate([item.values for item in alone], axis=1), rtol=1e-4)


def test_several_layers_of_a_caricature_see_the_given_picture_once(net, given, monkeypatch):
    lens, runs = Lens(net), []
    run = lens.run
    monkeypatch.setattr(lens, "run", lambda *args: runs.append(tuple(args[1])) or run(*args))
    aim = o.caricature("clip", given) + o.caricature("joined", given.tolist(), 1)
    render(lens, aim, params.image(14, 16), steps=3, transforms=())
    # In the first step what is asked for is not known yet; then both pictures are run once a step, through both layers.
    assert runs == [("clip",), ("clip",), ("joined",), ("joined",)] + [("clip", "joined")] * 4


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_style_is_the_distance_of_gram_matrices(norm, seen, ort, computed, given, agree):
    expected = np.zeros(3)
    for layer in ("clip", "joined"):
        wanted = gram(computed(given[None]).behind(layer)[0])
        difference = np.stack([gram(maps) - wanted for maps in ort.behind(layer)])
        expected -= (np.abs(difference) if norm == "l1" else difference**2).mean(axis=(1, 2))
    agree(o.style(["clip", "joined"], given, norm)(seen), expected, rtol=1e-3)


def test_a_picture_is_of_its_own_style(net, given, look, agree):
    agree(o.style("clip", given)(look(net, given[None])), [0], atol=1e-5)


def test_style_may_be_of_a_picture_of_another_size(net, computed, look, pictures, ort, agree):
    large = np.random.default_rng(5).random((24, 30, 3), np.float32)
    wanted = gram(computed(large[None]).behind("clip")[0])
    expected = [-np.abs(gram(maps) - wanted).mean() for maps in ort.behind("clip")]
    agree(o.style("clip", large)(look(net, pictures)), expected, rtol=1e-3)


def test_a_running_mean_of_styles(net, computed, given, rng, look, agree):
    steps = rng.random((4, 2, 16, 14, 3), np.float32)
    wanted, memory, aim = gram(computed(given[None]).behind("clip")[0]), {}, o.style("clip", given, ema_decay=0.75)
    for count, step in enumerate(steps, 1):
        weights = 0.75 ** np.arange(count)[::-1]
        grams = [[gram(maps) for maps in computed(earlier).behind("clip")] for earlier in steps[:count]]
        means = np.tensordot(weights / weights.sum(), grams, 1)
        agree(aim(look(net, step, memory=memory)), -np.abs(means - wanted).mean(axis=(1, 2)), rtol=1e-3)


def test_a_running_mean_lets_the_gradient_through(net, given, look):
    view = look(net, np.random.default_rng(1).random((1, 16, 14, 3), np.float32))
    view.shown = view.shown.clone().requires_grad_()
    o.style("clip", given, "l2", ema_decay=0.9)(view).sum().backward()
    through = view.shown.grad
    view = look(net, view.shown.detach().numpy().transpose(0, 2, 3, 1))
    view.shown = view.shown.clone().requires_grad_()
    o.style("clip", given, "l2")(view).sum().backward()
    # At the first step the mean is the picture's own.
    torch.testing.assert_close(through, view.shown.grad)


def test_two_renderings_share_no_running_mean(net, given):
    aim = o.style("clip", given, ema_decay=0.9)
    first, second = (render(net, aim, params.image(14, 16), steps=3, transforms=()).values for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_size_of_batches_changes_no_running_mean(net, given):
    aim = o.style("clip", given, ema_decay=0.9)
    settings = {"steps": 3, "transforms": (), "count": 2}
    both, single = (render(net, aim, params.image(14, 16), batch_size=size, **settings).values for size in (2, 1))
    np.testing.assert_allclose(both, single, rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: o.input_diff(np.zeros((9, 14, 3))),
            "the given picture is 9 x 14 x 3, the drawn ones are 16 x 14 x 3: give one size",
        ),
        (lambda: o.input_diff(np.zeros((9, 14))), "the picture is [9, 14]; expected (h, w, c)"),
        (
            lambda: o.dot_compare("clip", np.zeros((3, 7, 6))),
            "'clip' has 4 units, the activations are of 3",
        ),
        (
            lambda: o.caricature("clip", np.zeros((16, 14, 1))),
            "the given picture has 1 channels, the model's have 3",
        ),
        (lambda: o.style([], np.zeros((16, 14, 3))), "style([], norm='l1'): expected at least one layer"),
        (lambda: o.style("clip", np.zeros((16, 14, 3)), "l3"), "style(['clip'], norm='l3'): expected at least one"),
        (lambda: o.style("clip", np.zeros((16, 14, 3)), ema_decay=1), "ema_decay=1: expected a number from 0 to below"),
    ],
)
def test_what_does_not_fit_is_said(make, message, seen):
    with pytest.raises(UsageError) as caught:
        make()(seen)
    assert str(caught.value).startswith(message)

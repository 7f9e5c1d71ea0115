import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis import objectives as o
from agnostic.optvis import params, render
from agnostic.optvis.lens import Lens, Seen

LAYERS = ("relu", "clip", "silu", "joined", "vrelu", "logits")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_channel_is_the_mean_before_the_activation_function(layer, seen, ort, agree):
    for unit in (0, 2):
        agree(o.channel(layer, unit)(seen), ort.before(layer)[:, unit].mean(axis=(1, 2)))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_lens_may_look_behind_it(layer, net, pictures, look, ort, agree):
    behind = look(Lens(net, pre_activation=False), pictures)
    agree(o.channel(layer, 1)(behind), ort.behind(layer)[:, 1].mean(axis=(1, 2)))


def test_the_two_differ(ort):
    # Otherwise the tests above compare nothing.
    assert all(np.abs(ort.before(layer) - ort.behind(layer)).max() > 0.1 for layer in LAYERS[:-1])


def test_a_neuron_is_in_the_middle(seen, ort, agree):
    # The layer is 7 x 6: the middle of the even side is the lower right one.
    assert ort.before("clip").shape[2:] == (7, 6)
    agree(o.neuron("clip", 1)(seen), ort.before("clip")[:, 1, 3, 3])
    assert ort.before("relu").shape[2:] == (16, 14)
    agree(o.neuron("relu", 5)(seen), ort.before("relu")[:, 5, 8, 7])


def test_a_neuron_at_a_place_has_its_column_first(seen, ort, agree):
    agree(o.neuron("clip", 1, x=5, y=2)(seen), ort.before("clip")[:, 1, 2, 5])
    agree(o.neuron("clip", 1, y=6)(seen), ort.before("clip")[:, 1, 6, 3])


def test_deepdream_squares_what_is_behind_the_activation_function(seen, ort, agree):
    agree(o.deepdream("joined")(seen), (ort.behind("joined") ** 2).mean(axis=(1, 2, 3)))


@pytest.mark.parametrize("label", ["espresso", "Espresso", 1, "1"])
def test_a_class_logit(label, seen, ort, agree):
    agree(o.class_logit(label)(seen), ort.before("logits")[:, 1, 0, 0])


def test_a_class_logit_at_a_layer(seen, ort, agree):
    # The graph's own output is a layer like any other: what comes before its softmax is asked for as the scores.
    agree(o.class_logit("tabby", "y")(seen), ort.behind("y")[:, 0, 0, 0])


def test_the_scores_are_labels_too(seen, ort, agree):
    agree(seen("labels"), ort.before("logits"))


def test_interpolation_goes_from_one_unit_to_the_other(seen, ort, agree):
    start, end = ort.before("clip")[:, 1].mean(axis=(1, 2)), ort.before("relu")[:, 4].mean(axis=(1, 2))
    expected = [start[0], 0.5 * start[1] + 0.5 * end[1], end[2]]
    agree(o.channel_interpolate("clip", 1, "relu", 4)(seen), expected)


def test_interpolation_goes_by_a_pictures_number_among_all(net, pictures, look, ort, agree):
    part = look(net, pictures, numbers=(2, 3, 4), count=5)
    start, end = ort.before("clip")[:, 1].mean(axis=(1, 2)), ort.before("relu")[:, 4].mean(axis=(1, 2))
    weights = np.array([0.5, 0.75, 1])
    agree(o.channel_interpolate("clip", 1, "relu", 4)(part), (1 - weights) * start + weights * end)
    alone = look(net, pictures[:1])
    agree(o.channel_interpolate("clip", 1, "relu", 4)(alone), start[:1])


def test_an_interaction_is_both_units_everywhere_and_in_the_middle(seen, ort, agree):
    one, other = ort.before("clip")[:, 1], ort.before("joined")[:, 6]
    expected = 0.2 * (one.mean(axis=(1, 2)) + other.mean(axis=(1, 2))) + one[:, 3, 3] + other[:, 3, 3]
    agree(o.interaction("clip", 1, "joined", 6)(seen), expected)
    assert o.interaction("clip", 1, "joined", 6).name == "interaction(clip, 1, joined, 6)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: o.channel("cilp", 0), "unknown layer 'cilp'; did you mean 'clip'"),
        (lambda: o.channel("clip", 4), "'clip' has the units 0 to 3, not 4"),
        (lambda: o.channel("clip", -1), "'clip' has the units 0 to 3, not -1"),
        (lambda: o.neuron("clip", 0, x=6), "'clip' has 6 x 7 positions, there is none at x=6, y=3"),
        (lambda: o.neuron("clip", 0, y=-1), "'clip' has 6 x 7 positions, there is none at x=3, y=-1"),
        (lambda: o.class_logit("esspreso"), "unknown target 'esspreso'; did you mean 'espresso'?"),
        (lambda: o.class_logit(7), "class 7 does not exist; the model has the classes 0 to 6"),
        (lambda: o.class_logit("clip:1"), "'clip:1' is no class; give one by name or number"),
        (lambda: o.class_logit("tabby - espresso"), "'tabby - espresso' is no class; give one by name or number"),
        (lambda: o.deepdream("gate"), "unknown layer 'gate'"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(make, message, seen):
    with pytest.raises(UsageError) as caught:
        make()(seen)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_gradient_is_that_of_finite_differences(net, pictures, look):
    lens, rng = Lens(net), np.random.default_rng(3)
    aim = o.channel("joined", 2) + o.neuron("clip", 1) * o.class_logit("tiger") - 0.5 * o.deepdream("silu")
    value = lambda planes: aim(look(lens, planes.transpose(0, 2, 3, 1))).sum()  # noqa: E731
    planes = pictures.transpose(0, 3, 1, 2).copy()
    leaf = torch.from_numpy(planes).requires_grad_()
    (gradient,) = torch.autograd.grad(aim(Seen(lens, leaf, leaf)).sum(), leaf)
    for _ in range(3):
        way = rng.normal(size=planes.shape).astype(np.float32)
        way /= np.abs(way).max()
        step = 1e-3 * way
        slope = (value(planes + step) - value(planes - step)).item() / 2e-3
        assert slope == pytest.approx(float((gradient.numpy() * way).sum()), rel=0.02)


def test_a_unit_without_weights_moves_nothing(net):
    # Unit 1 of `other`, unit 6 of `joined`, is 0 whatever is shown.
    dead, alive = (render(net, o.channel("joined", unit), params.image(16), steps=2, transforms=()) for unit in (6, 7))
    assert not dead.moved.any()
    assert np.all(dead.values == 0)
    assert alive.moved.all()


def test_a_unit_that_is_off_everywhere_still_has_a_gradient_behind_it(opened):
    weights = {"w": np.full((1, 3, 1, 1), -1, np.float32)}
    model = opened("g (float[n,3,h,w] x) => (float[n,1,h,w] y) { a = Conv(x, w) r = Relu(a) y = Neg(r) }", weights)
    moved = [
        render(Lens(model, pre_activation=before), o.channel("r", 0), params.image(8), steps=1, redirect_steps=0).moved
        for before in (True, False)
    ]
    assert [bool(item[0]) for item in moved] == [True, False]

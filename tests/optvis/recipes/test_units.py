import numpy as np
import pytest
import torch

from agnostic.errors import ItemError, UsageError
from agnostic.optvis import recipes
from agnostic.optvis.lens import Seen
from agnostic.optvis.objective import as_objective


def test_a_unit_is_maximised_and_its_negative_minimised(net, order, seen_by):
    both = recipes.get("unit")(order(net, "top:1", "relu:2"), sign="both")
    assert both.names == ("top:1", "-top:1", "relu:2", "-relu:2")
    before = {"top:1": seen_by(net, both.pictures, "b")[:, 1], "relu:2": seen_by(net, both.pictures, "a")[:, 2]}
    for row, name in ((0, "top:1"), (2, "relu:2")):
        means = before[name].mean(axis=(1, 2))
        assert means[row] == means.max() > 0 > means.min() == means[row + 1]


def test_signs_alone_are_those_of_both(net, order):
    both = recipes.get("unit")(order(net, "top:1"), sign="both")
    positive = recipes.get("unit")(order(net, "top:1"))
    np.testing.assert_allclose(both.pictures[0], positive.pictures[0], atol=1e-4)
    negative = recipes.get("unit")(order(net, "top:1", streams=(1,)), sign="negative")
    np.testing.assert_allclose(both.pictures[1], negative.pictures[0], atol=1e-4)


def test_a_neuron_is_a_row_and_a_column(net, order):
    """Of a layer of 3 x 3 kernels, only pixels below and right of row 2, column 9 matter."""
    lens = order(net, "relu:0").lens
    planes = torch.rand((1, 3, 16, 16), generator=torch.manual_seed(0)).requires_grad_()
    as_objective("relu:0@2,9", lens)(Seen(lens, planes, planes)).sum().backward()
    touched = np.argwhere(planes.grad[0].abs().sum(dim=0).numpy() > 0)
    assert touched.min(axis=0).tolist() == [2, 9] and touched.max(axis=0).tolist() == [4, 11]
    assert recipes.get("unit")(order(net, "relu:0@2,9", steps=1)).names == ("relu:0@2,9",)


def test_a_position_outside_is_refused(net, order):
    with pytest.raises(ItemError, match="does not exist on a picture of this size"):
        recipes.get("unit")(order(net, "relu:0@2,99"))


def test_a_class_is_looked_at_closer_and_closer(net, order, seen_by):
    made = recipes.get("class")(order(net, "tabby", "espresso", steps=60), zoom=1.5, turn=6.0)
    assert made.names == ("tabby, tabby cat", "espresso")
    said = made.recipe["transforms"]
    assert said.startswith("jitter(2), random_scale([1, 1.025,") and "1.475, 1.5])" in said
    assert "random_rotate([-6, -5.6" in said and "5.6, 6, 0, 0, 0, 0, 0])" in said
    scores = seen_by(net, made.pictures, "y")
    assert scores[0, 0] > scores[1, 0] + 1 and scores[1, 1] > scores[0, 1] + 1
    assert (made.values[-1] > made.values[0] + 1).all()


def test_a_class_may_be_a_difference_and_a_number(net, order):
    made = recipes.get("class")(order(net, "tabby - 0.5*espresso", "2", steps=2), sign="negative")
    assert made.names == ("-(tabby, tabby cat - 0.5*espresso)", "-tiger")


@pytest.mark.parametrize("settings", [{"zoom": 0.5}, {"turn": -1.0}])
def test_a_class_is_not_looked_at_from_afar(net, order, settings):
    with pytest.raises(UsageError, match="expected a zoom of 1 or more and a turn of 0 or more"):
        recipes.get("class")(order(net, "tabby"), **settings)


@pytest.mark.parametrize("name", ["unit", "class"])
def test_the_same_seed_gives_the_same_bytes(net, order, name):
    names = ("tabby", "espresso", "tiger")
    whole = recipes.get(name)(order(net, *names, steps=6, seed=5))
    again = recipes.get(name)(order(net, *names, steps=6, seed=5))
    split = recipes.get(name)(order(net, *names, steps=6, seed=5, batch_size=2))
    other = recipes.get(name)(order(net, *names, steps=6, seed=6))
    assert whole.pictures.tobytes() == again.pictures.tobytes() != other.pictures.tobytes()
    # A batch of another size rounds differently.
    np.testing.assert_allclose(split.pictures, whole.pictures, atol=1e-4)


def test_a_model_of_many_bands_is_drawn_in_them(opened, order):
    rng = np.random.default_rng(0)
    text = """net (float[n,7,16,16] x) => (float[n,4] y) {
        a = Conv(x, wa) r = Relu(a) p = GlobalAveragePool(r) y = Flatten(p)
    }"""
    model = opened(text, {"wa": rng.normal(size=(4, 7, 3, 3)).astype(np.float32)})
    for name, of in (("unit", "r:1"), ("class", "2"), ("diversity", "r:1"), ("direction", "r:1 + r:2")):
        made = recipes.get(name)(order(model, of, steps=3, colours=None))
        assert made.pictures.shape[1:] == (16, 16, 7) and made.moved.all()

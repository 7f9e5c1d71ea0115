import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.optvis import objectives as o
from agnostic.optvis import params, render


@pytest.fixture
def six(rng):
    return rng.random((6, 16, 14, 3), np.float32)


def test_alignment_adds_up_to_the_distances_of_all_neighbours(net, six, look):
    total = 0.0
    for distance in (1, 2, 3, 4):
        for first in range(6 - distance):
            total -= ((six[first] - six[first + distance]) ** 2).mean() / 2.0**distance
    assert o.alignment("input")(look(net, six)).sum().item() == pytest.approx(total, rel=1e-5)


def test_alignment_of_a_layer_picture_by_picture(net, six, look, agree):
    view = look(net, six)
    maps = view.activated("clip").numpy()
    expected = [
        -sum(((maps[i] - maps[j]) ** 2).mean() / 3.0 ** abs(i - j) / 2 for j in range(6) if 0 < abs(i - j) <= 4)
        for i in range(6)
    ]
    agree(o.alignment("clip", 3)(view), expected)


@pytest.mark.parametrize("count", [1, 2])
def test_alignment_of_few(count, net, six, look, agree):
    expected = -((six[0] - six[1]) ** 2).mean() / 4 if count == 2 else 0
    agree(o.alignment("input")(look(net, six[:count])), np.full(count, expected))


def test_diversity_averages_to_the_likeness_of_gram_matrices(net, pictures, look, ort):
    grams = []
    for maps in ort.behind("joined"):
        units = maps.reshape(len(maps), -1).astype(np.float64)
        grams.append(units @ units.T / np.linalg.norm(units @ units.T))
    total = sum((grams[i] * grams[j]).sum() for i in range(3) for j in range(3) if i != j)
    assert o.diversity("joined")(look(net, pictures)).mean().item() == pytest.approx(total / 3, rel=1e-4)


def test_each_pictures_diversity_is_its_likeness_to_the_others(net, pictures, look, agree):
    same = np.repeat(pictures[:1], 3, axis=0)
    agree(o.diversity("clip")(look(net, same)), [2, 2, 2])
    agree(o.diversity("clip")(look(net, pictures[:1])), [0])


def test_a_layer_that_is_off_has_no_style(net, look, agree):
    dark = np.zeros((2, 16, 14, 3), np.float32)
    view = look(net, dark)
    view._values["clip"] = view.activated("clip") * 0
    agree(o.diversity("clip")(view), [0, 0])


def test_they_know_that_pictures_belong_together():
    assert o.diversity("clip").couples and o.alignment("clip").couples
    assert (o.channel("clip", 1) - 100 * o.diversity("clip")).couples
    assert not o.channel("clip", 1).couples and not (o.channel("clip", 1) + o.l1()).couples
    with pytest.raises(UsageError, match=r"diversity\(clip\) compares pictures: it cannot be one picture's own"):
        o.Objective.each([o.channel("clip", 1), o.diversity("clip")])


def test_a_batch_of_pictures_that_belong_together_is_not_split(net):
    aim = o.channel("joined", 2) - 100 * o.diversity("clip")
    whole, parts = (
        render(net, aim, params.image(12), steps=2, count=3, transforms=(), batch_size=size) for size in (3, 1)
    )
    np.testing.assert_array_equal(whole.pictures, parts.pictures)


def test_diversity_makes_pictures_differ(net, look):
    alike = []
    for weight in (0, 100):
        aim = o.channel("joined", 2) - weight * o.diversity("clip")
        found = render(net, aim, params.image(12), steps=30, count=3, transforms=())
        alike.append(o.diversity("clip")(look(net, found.pictures)).mean().item())
    assert alike[1] < 0.9 * alike[0]


def test_what_makes_no_sense_is_said():
    with pytest.raises(UsageError, match="decay_ratio=0: expected a number above 0"):
        o.alignment("input", 0)

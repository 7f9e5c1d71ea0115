import sys

import numpy as np
import pytest

from agnostic.blocks.atlas import Points, arranged, atlas, class_points, clipped, points, subset
from agnostic.errors import InputError, UsageError


def pictures(count=40):
    return list(np.random.default_rng(8).normal(size=(count, 1, 3, 6, 6)).astype(np.float32))


@pytest.fixture(scope="module")
def found(smooth):
    return atlas(smooth, pictures(), "late", grid=3, fewest=2, top=3)


def test_every_point_is_what_the_layer_holds_inside(smooth, found):
    for picture, vector, (y, x) in zip(pictures(), found.points.vectors, found.points.places, strict=True):
        maps = smooth.activations(picture, "late")[0]
        row, column = int(y * 4), int(x * 4)
        assert row in (1, 2) and column in (1, 2)
        np.testing.assert_allclose(maps[:, row, column], vector, rtol=1e-5)


def test_several_places_of_each_picture_are_different_ones_and_equally_many(smooth):
    several = points(smooth, pictures(5), "late", each=3, top=2)
    assert several.pictures.tolist() == np.repeat(np.arange(5), 3).tolist()
    for number, picture in enumerate(pictures(5)):
        maps, mine = smooth.activations(picture, "late")[0], several.pictures == number
        places = (several.places[mine] * 4).astype(int)
        assert len({tuple(place) for place in places.tolist()}) == 3
        np.testing.assert_allclose(several.vectors[mine], maps[:, places[:, 0], places[:, 1]].T, rtol=1e-5)
        for index, value in zip(several.classes[mine][0], several.supports[mine].T, strict=True):
            slope = smooth.gradient(picture, int(index), "late")[0][:, places[:, 0], places[:, 1]]
            np.testing.assert_allclose(value, (slope.T * several.vectors[mine]).sum(axis=1), rtol=1e-3, atol=1e-6)
    assert len(points(smooth, pictures(3), "late", each=99, support="prediction").vectors) == 3 * 4


def test_supports_are_linear_attributions_of_the_position(smooth, found):
    picture, scores = pictures()[7], smooth.run(pictures()[7])["scores"][0]
    best = np.argsort(-scores)
    assert found.points.classes[7].tolist() == best.tolist()
    for index, value in zip(found.points.classes[7], found.points.supports[7], strict=True):
        y, x = (found.points.places[7] * 4).astype(int)
        slope = smooth.gradient(picture, int(index), "late")[0]
        np.testing.assert_allclose(value, slope[:, y, x] @ found.points.vectors[7], rtol=1e-3, atol=1e-6)


def test_cells_are_means_of_enough_points(found):
    assert found.cells
    seen = set()
    for cell in found.cells:
        assert len(cell.members) >= 2 and seen.isdisjoint(cell.members.tolist())
        seen |= set(cell.members.tolist())
        assert ((found.plane[cell.members] * 3).astype(int).clip(0, 2) == (cell.column, cell.row)).all()
        np.testing.assert_allclose(cell.vector, found.points.vectors[cell.members].mean(axis=0), rtol=1e-5)
        sums = np.zeros(3)
        for member in cell.members:
            np.add.at(sums, found.points.classes[member], found.points.supports[member])
        assert cell.supported == sums.argmax()
        assert cell.support == pytest.approx(sums.max() / len(cell.members))
    assert found.plane.min() >= 0 and found.plane.max() <= 1


def test_whitened_vectors_divide_out_what_all_share(rng):
    vectors = (rng.normal(size=(400, 3)) * [10, 1, 1]).astype(np.float32)
    blank = np.zeros((400, 1))
    found = arranged(
        "l", Points(vectors, np.zeros((400, 2)), blank.astype(int), blank, np.arange(400)), grid=2, fewest=1
    )
    cell = max(found.cells, key=lambda item: abs(item.vector[0]))
    assert abs(cell.whitened[0] / cell.whitened[1]) < 0.2 * abs(cell.vector[0] / cell.vector[1])


@pytest.mark.parametrize("layout", ["pca", "tsne"])
def test_two_kinds_of_points_end_up_apart(rng, layout):
    directions = np.repeat(np.eye(6)[:2], 30, axis=0)
    vectors = (directions * 5 + rng.normal(0, 0.1, size=(60, 6))).astype(np.float32)
    classes = np.repeat([[3], [4]], 30, axis=0)
    given = Points(vectors, np.zeros((60, 2)), classes, np.ones((60, 1)), np.arange(60))
    found = arranged("l", given, grid=4, fewest=3, layout=layout)
    for cell in found.cells:
        assert len(set(classes[cell.members, 0])) == 1 and cell.supported == classes[cell.members[0], 0]
    again = arranged("l", given, grid=4, fewest=3, layout=layout)
    np.testing.assert_array_equal(again.plane, found.plane)


def test_outliers_do_not_press_the_rest_together():
    line = np.linspace(0, 1, 101)
    plane = np.stack([line, line], axis=1)
    plane[-1] = 1000
    found = clipped(plane)
    assert found[-1].tolist() == [1, 1] and np.ptp(found[:-1]) > 0.8


def test_positions_depend_on_the_seed_and_the_number_alone(smooth):
    three, five = (points(smooth, pictures(count), "late", support="prediction") for count in (3, 5))
    np.testing.assert_array_equal(three.places, points(smooth, pictures(3), "late", support="prediction").places)
    assert five.supports[0].tolist() == [1, 0, 0]
    assert len({tuple(place) for place in points(smooth, pictures(30), "late", support="prediction").places}) == 4


def test_a_class_atlas_keeps_the_pictures_of_the_class(found):
    index = int(found.points.classes[0, 0])
    chosen = class_points(found.points, index)
    assert 0 in chosen and (subset(found.points, chosen).classes[:, 0] == index).all()


def test_errors(smooth, found, monkeypatch):
    with pytest.raises(InputError, match="expected 3 or more"):
        atlas(smooth, pictures(2), "late")
    with pytest.raises(InputError, match="no picture"):
        atlas(smooth, [], "late")
    with pytest.raises(UsageError, match="layout='map'"):
        arranged("late", found.points, layout="map")
    with pytest.raises(UsageError, match="grid=0"):
        arranged("late", found.points, grid=0)
    with pytest.raises(UsageError, match="class 99 comes first in none"):
        class_points(found.points, 99)
    with pytest.raises(UsageError, match="support='none'"):
        points(smooth, pictures(1), "late", support="none")
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(UsageError, match="pip install umap-learn"):
        arranged("late", found.points, layout="umap")
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(UsageError, match=r"agnostic-xai\[microscope\]"):
        arranged("late", found.points)

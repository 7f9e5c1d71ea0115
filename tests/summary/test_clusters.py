from dataclasses import replace

import numpy as np
import pytest

import agnostic
from agnostic.errors import InputError, UsageError
from agnostic.inputs.image import image_sample
from agnostic.summary.clusters import Clusters, cluster, piece_vectors, usual_layer
from agnostic.summary.examples import thumbnail


@pytest.fixture(scope="module")
def squares():
    """Pictures of a red and a green square on black; which is where differs."""
    pictures = []
    for red, green in (((0, 0), (16, 16)), ((16, 0), (0, 16)), ((0, 16), (16, 0))):
        picture = np.zeros((32, 32, 3), np.uint8)
        picture[red[0] : red[0] + 16, red[1] : red[1] + 16, 0] = 250
        picture[green[0] : green[0] + 16, green[1] : green[1] + 16, 1] = 250
        pictures.append(picture)
    return pictures


@pytest.fixture(scope="module")
def colours(opened):
    """The mean of each channel over 4 x 4 pixels, and the sum of red less that of green."""
    kernel = np.zeros((3, 3, 4, 4), np.float32)
    kernel[np.arange(3), np.arange(3)] = 1 / 16
    return opened(
        "g (float[n,3,32,32] x) => (float[n,1] y) { m = Conv <strides = [4, 4]> (x, k)  map = Relu(m)"
        "  p = GlobalAveragePool(map)  f = Flatten(p)  y = MatMul(f, w) }",
        {"k": kernel, "w": np.array([[1.0], [-1.0], [0.0]], np.float32)},
        preprocess={"size": [32, 32], "mean": [0.0], "std": [1.0]},
    )


def test_a_piece_is_the_mean_of_the_layer_over_it(colours, squares):
    sample = image_sample(colours, squares[0], features="grid:4", fill="black")
    vectors = piece_vectors(colours, sample, "map")
    assert vectors.shape == (16, 3)
    np.testing.assert_allclose(vectors[0], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(vectors[15], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(vectors[3], 0)


def test_a_piece_over_several_places_is_weighed_by_its_area(colours, squares):
    sample = image_sample(colours, squares[0], features="grid:2", fill="black")
    labels = np.zeros((32, 32), np.int32)
    labels[:, 24:] = 1
    sample = replace(sample, features=replace(sample.features, labels=labels, names=("left", "right")))
    vectors = piece_vectors(colours, sample, "map")
    red, green = 16 * 16 / (32 * 24), 16 * 8 / (32 * 24)
    np.testing.assert_allclose(vectors[0], np.array([red, green, 0]) / np.hypot(red, green), atol=1e-6)


def test_alike_pieces_of_other_pictures_share_a_name(colours, squares):
    how = {"features": "grid:2", "fill": "black", "by": "segments"}
    (summary,) = agnostic.summarize(colours, squares, "occlusion", 0, clusters=3, **how).summaries
    rows = sorted(summary.rows(), key=lambda row: row["weight"])
    assert [row["samples"] for row in rows] == [3, 3, 3]
    quarter = 250 / 255 / 4
    np.testing.assert_allclose([row["weight"] for row in rows], [-quarter, 0, quarter], atol=1e-4)
    assert summary.arrays["examples"].shape == (3, 4, 96, 96, 3)


def test_a_prior_names_the_pieces_of_a_new_picture(colours, squares, tmp_path):
    how = {"features": "grid:2", "fill": "black", "samples": 300}
    found = agnostic.summarize(colours, squares[:2], "lime", 0, clusters=3, **how)
    found.prior.save(tmp_path / "prior.json")
    plain = agnostic.explain(colours, squares[2], "lime", 0, **how)
    leaning = agnostic.explain(colours, squares[2], "glime", 0, prior=tmp_path / "prior.json", force=1e6, **how)
    assert leaning.meta["prior_features"] >= 2
    np.testing.assert_allclose(np.sign(leaning.weights.round(3)), np.sign(plain.weights.round(3)))


def test_clusters_of_another_model_are_refused(colours, squares):
    sample = image_sample(colours, squares[0], features="grid:2")
    with pytest.raises(InputError, match="made with another model"):
        Clusters("map", np.eye(5, dtype=np.float32)).named(colours, sample)


@pytest.mark.parametrize("count", [1, 13])
def test_a_number_of_clusters_that_makes_no_sense_is_refused(colours, squares, count):
    vectors = [piece_vectors(colours, image_sample(colours, item, features="grid:2"), "map") for item in squares]
    with pytest.raises(UsageError, match="expected 2 to 12"):
        cluster(vectors, "map", count, 0)


def test_features_with_names_need_no_clusters(additive, table):
    with pytest.raises(UsageError, match="have names of their own"):
        agnostic.summarize(additive, table, "lime", 0, clusters=3, layer=None)


def test_the_usual_layer_is_that_of_class_activation_maps(squeezenet_model):
    assert usual_layer(squeezenet_model) == "fire9/concat"


def test_a_thumbnail_is_a_square_around_the_piece():
    pixels = np.full((50, 80, 3), 200, np.uint8)
    piece = np.zeros((50, 80), np.bool_)
    piece[40:50, 70:80] = True
    small = thumbnail(pixels, piece)
    assert small.shape == (96, 96, 3)
    assert small[-1, -1, 0] == 200
    assert small[0, 0, 0] == int(200 * 0.3 + 128 * 0.7)

import numpy as np

from agnostic.kernels.resize import bilinear


def test_the_map_is_the_strongest_eigenvector(averaged, explain, averaged_picture):
    x = ((averaged_picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
    rows = averaged.activations(x, "map")[0].reshape(5, -1).T.astype(np.float64)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    projection = rows @ vectors[:, -1]
    projection *= np.sign(projection @ rows.mean(axis=1))
    expected = bilinear(projection.reshape(1, 5, 5).astype(np.float32), (12, 12))
    found = explain("eigencam", averaged, averaged_picture, (0, 1))
    np.testing.assert_allclose(found.values, np.repeat(expected, 2, axis=0), atol=1e-4)
    assert found.facts[0]["class_agnostic"] is True


def test_one_pass_is_enough(averaged, explain, averaged_picture):
    before = averaged.evaluations
    explain("eigencam", averaged, averaged_picture)
    assert averaged.evaluations == before + 1


def test_the_places_among_tokens_are_a_map(transformer, explain, landscape_picture):
    rows = (landscape_picture.reshape(4, 8, 6, 8, 3).mean(axis=(1, 3)) / 255).reshape(24, 3)
    _, vectors = np.linalg.eigh(rows.T @ rows)
    projection = rows @ vectors[:, -1]
    projection *= np.sign(projection @ rows.mean(axis=1))
    found = explain("eigencam", transformer(2), landscape_picture)
    expected = bilinear(projection.reshape(1, 4, 6).astype(np.float32), (32, 48))
    np.testing.assert_allclose(found.values, expected, atol=1e-5)

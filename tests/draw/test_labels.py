import numpy as np

from agnostic.draw.labels import edges, eroded, middle, shrunk, smooth_labels


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.asarray(y**2 + x**2 <= radius**2, int)


def test_edges_of_two_halves_are_two_columns() -> None:
    halves = np.repeat([[0, 0, 1, 1]], 3, axis=0)
    np.testing.assert_array_equal(edges(halves), np.repeat([[False, True, True, False]], 3, axis=0))


def test_straight_edges_do_not_move_when_labels_grow() -> None:
    halves = np.repeat([[7, 7, 9, 9]], 4, axis=0)
    np.testing.assert_array_equal(smooth_labels(halves, (16, 16)), np.repeat([[7] * 8 + [9] * 8], 16, axis=0))


def test_labels_that_are_large_enough_are_left_alone() -> None:
    labels = disc(20, 7)
    assert smooth_labels(labels, (20, 20)) is labels


def test_grown_labels_are_closer_to_the_true_shape() -> None:
    truth = disc(160, 56.0)
    small = disc(40, 14.0)
    plain = small.repeat(4, axis=0).repeat(4, axis=1)
    assert (smooth_labels(small, (160, 160)) != truth).sum() < 0.8 * (plain != truth).sum()


def test_growing_makes_no_new_labels() -> None:
    labels = np.random.default_rng(0).integers(0, 5, (12, 17))
    assert set(np.unique(smooth_labels(labels, (40, 60)))) == set(np.unique(labels))


def test_shrinking_averages() -> None:
    fine = np.array([[1, 0, 1, 1], [0, 0, 1, 1]], bool)
    np.testing.assert_allclose(shrunk(fine, (1, 2)), [[0.25, 1.0]])


def test_eroding_takes_one_ring() -> None:
    square = np.pad(np.ones((4, 4), bool), 1)
    assert eroded(square).sum() == 4
    assert not eroded(np.ones((2, 2), bool)).any()


def test_the_middle_of_a_bent_piece_lies_inside_it() -> None:
    bend = np.zeros((20, 20), bool)
    bend[:, :3] = bend[-3:] = True  # an L, whose centre of gravity is outside it
    y, x, depth = middle(bend)
    assert bend[y, x] and depth == 2


def test_the_middle_of_a_disc() -> None:
    y, x, _ = middle(disc(21, 8).astype(bool))
    assert (y, x) == (10, 10)

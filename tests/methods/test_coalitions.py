from math import comb

import numpy as np
import pytest

from agnostic.methods._coalitions import choose


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("players", [2, 3, 4, 5, 8])
def test_all_coalitions_are_taken_once_where_they_fit(players, random):
    chosen = choose(players, 2**players - 2, random)
    assert chosen.exact
    assert len(np.unique(chosen.keep, axis=0)) == len(chosen.keep) == 2**players - 2


@pytest.mark.parametrize("players", [3, 6])
def test_weights_are_the_shapley_kernel(players, random):
    chosen = choose(players, 2**players, random)
    for keep, weight in zip(chosen.keep, chosen.weights, strict=True):
        size = keep.sum()
        assert weight == pytest.approx((players - 1) / (comb(players, size) * size * (players - size)))


@pytest.mark.parametrize(("players", "samples"), [(12, 300), (20, 100), (50, 2148), (50, 60), (13, 10), (5, 1)])
def test_a_sample_comes_in_pairs_and_within_its_bound(players, samples, random):
    chosen = choose(players, samples, random)
    assert not chosen.exact
    assert len(chosen.keep) <= max(samples, 2)
    sizes = chosen.keep.sum(axis=1)
    assert sizes.min() > 0
    assert sizes.max() < players
    np.testing.assert_array_equal(chosen.keep.sum(axis=0) * 2, len(chosen.keep))


def test_sizes_keep_their_share_of_the_weight(random):
    players = 30
    chosen = choose(players, 3000, random)
    sizes = chosen.keep.sum(axis=1)
    shares = np.array([chosen.weights[sizes == size].sum() for size in range(1, players)])
    kernel = np.array([(players - 1) / (size * (players - size)) for size in range(1, players)])
    np.testing.assert_allclose(shares, kernel, rtol=1e-9)


def test_one_player_has_no_proper_coalition(random):
    assert choose(1, 10, random).keep.shape == (0, 1)

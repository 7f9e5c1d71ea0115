import numpy as np
import pytest

from agnostic.engine.random_input import random_feeds

TOKENS = """
    g (int64[n,s] ids, int64[n,s] mask, float[n,3] x) => (float[n,4] y) {
        e = Gather(words, ids) f = Cast <to = 1> (mask) u = Unsqueeze(f, last) p = Mul(e, u)
        t = ReduceMean <axes = [1], keepdims = 0> (p) z = MatMul(x, w) y = Add(t, z)
    }"""
WEIGHTS = {"words": np.zeros((30, 4), np.float32), "w": np.zeros((3, 4), np.float32), "last": np.array([-1])}


@pytest.fixture
def tokens(opened):
    return opened(TOKENS, WEIGHTS)


def given(x=(1.0, 2.0, 5.0), length=200):
    ids = np.ones((1, length), np.int64)
    return {"ids": ids, "mask": ids, "x": np.array([x], np.float32)}


def test_tokens_come_from_their_table_and_masks_stay(tokens):
    feeds = given()
    drawn = random_feeds(tokens, feeds)
    assert set(np.unique(drawn["ids"])) == set(range(30))
    assert drawn["mask"] is feeds["mask"]
    assert {name: (value.shape, value.dtype) for name, value in drawn.items()} == {
        name: (value.shape, value.dtype) for name, value in feeds.items()
    }


def test_numbers_stay_in_the_range_of_the_given_ones_unless_there_is_none(tokens):
    drawn = [random_feeds(tokens, given(), seed)["x"] for seed in range(50)]
    assert 1 <= np.min(drawn) < 1.5
    assert 4.5 < np.max(drawn) <= 5
    still = [random_feeds(tokens, given((7.0, 7.0, 7.0)), seed)["x"] for seed in range(50)]
    assert abs(np.mean(still) - 7) < 0.3
    assert 0.8 < np.std(still) < 1.2


def test_the_same_seed_draws_the_same(tokens):
    one, same, other = (random_feeds(tokens, given(), seed)["ids"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_what_is_all_the_same_stays_beside_what_varies(opened):
    model = opened("g (float[n,3] x, float[n,3] mask) => (float[n,3] y) { y = Mul(x, mask) }")
    x, ones = np.array([[1, 2, 3]], np.float32), np.ones((1, 3), np.float32)
    drawn = random_feeds(model, {"x": x, "mask": ones})
    assert drawn["mask"] is ones
    assert (drawn["x"] != x).all()


def test_a_picture_goes_through_its_preprocessing(opened):
    text = "g (float[n,2,2,3] x) => (float[n,3] y) { y = ReduceMean <axes = [1, 2], keepdims = 0> (x) }"
    model = opened(text, preprocess={"layout": "NHWC", "size": [2, 2], "mean": [0.5], "std": [0.5]})
    (drawn,) = random_feeds(model, {"x": np.zeros((1, 2, 2, 3), np.float32)}).values()
    colours = (drawn / 2 + 0.5) * 255
    np.testing.assert_allclose(colours, np.rint(colours), atol=1e-3)
    assert colours.min() > -0.01
    assert 100 < np.ptp(colours) < 255.01


def test_integers_that_index_nothing_known_leave_nothing_to_draw(opened):
    model = opened("g (int64[n,3] x) => (float[n,3] y) { y = Cast <to = 1> (x) }")
    assert random_feeds(model, {"x": np.ones((1, 3), np.int64)}) is None

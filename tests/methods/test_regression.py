import numpy as np
import pytest
from sklearn.linear_model import Ridge

from agnostic.engine.sweep import Block
from agnostic.errors import UsageError
from agnostic.methods._regression import check_size, in_chunks, moments, ridge


@pytest.fixture(params=[0, 1])
def samples(request):
    random = np.random.default_rng(request.param)
    features = random.integers(0, 2, (200, 12)).astype(bool)
    scores = features @ random.normal(size=(12, 3)) + random.normal(size=(200, 3)) + 30
    return features, scores, random.random(200)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 50.0])
def test_ridge_equals_scikit_learn(samples, penalty):
    features, scores, weights = samples
    fit = ridge(moments(features, scores, weights), 12, penalty)
    reference = Ridge(alpha=penalty).fit(features, scores, sample_weight=weights)
    np.testing.assert_allclose(fit.slopes, reference.coef_, atol=1e-9)
    np.testing.assert_allclose(fit.intercept, reference.intercept_, atol=1e-9)
    for at in range(3):
        alone = Ridge(alpha=penalty).fit(features, scores[:, at], sample_weight=weights)
        assert fit.r2[at] == pytest.approx(alone.score(features, scores[:, at], sample_weight=weights), abs=1e-9)


def test_moments_of_parts_add_up(samples):
    features, scores, weights = samples
    parts = [moments(features[at::3], scores[at::3], weights[at::3]) for at in range(3)]
    np.testing.assert_allclose(sum(parts), moments(features, scores, weights), rtol=1e-12)


def test_a_feature_that_never_differs_gets_nothing():
    on = np.array([[1, 0], [1, 1], [1, 0], [1, 1]], bool)
    fit = ridge(moments(on, on[:, 1:] * 3.0, np.ones(4)), 2, 0.0)
    np.testing.assert_allclose(fit.slopes, [[0, 3]], atol=1e-9)


@pytest.mark.parametrize("batch", [1, 3, 8, 50])
def test_chunks_do_not_depend_on_the_batch(batch):
    scores = np.arange(23.0)[:, None]
    blocks = [Block(at, min(at + batch, 23), scores[at : at + batch]) for at in range(0, 23, batch)]
    chunks = list(in_chunks(blocks, 10))
    assert [(chunk.start, chunk.stop) for chunk in chunks] == [(0, 10), (10, 20), (20, 23)]
    np.testing.assert_array_equal(np.concatenate([chunk.scores for chunk in chunks]), scores)


def test_too_many_features_are_refused():
    with pytest.raises(UsageError, match="at most 4096 features, the input has 5000"):
        check_size("lime", 5000)

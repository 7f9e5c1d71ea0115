from dataclasses import replace

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.array import array_sample

NAMES = ("age", "income", "debt", "age")


@pytest.fixture
def named(linear):
    """A linear model, and a sample whose features have identities, one of them twice."""
    model = linear([[2.0, 0.0], [-1.0, 1.0], [0.5, 4.0], [0.0, -3.0]])
    sample = array_sample(model, {"x": np.array([1.0, 2.0, -1.0, 3.0], np.float32)})
    return model, replace(sample, features=replace(sample.features, identities=NAMES))


@pytest.fixture(params=["glime", "lime_prior"])
def ask(request, explain, named):
    def run(prior, targets=(0,), **settings):
        return explain(request.param, *named, targets, prior=prior, samples=400, stop=0.0, **settings)

    return run


def drawn(samples=400):
    keep = np.random.default_rng(0).integers(0, 2, (samples, 4), dtype=np.bool_)
    keep[0] = True
    return keep.astype(float), np.exp(-0.5 * ((1 - np.sqrt(keep.mean(axis=1))) / 0.25) ** 2)


def test_the_slopes_are_those_of_the_formula(ask, named):
    _, sample = named
    prior = {"age": 1.0, "income": -3.0}
    found = ask(prior, force=0.7, scale=1.0)
    keep, closeness = drawn()
    score = keep @ (np.array([2.0, -1.0, 0.5, 0.0]) * sample.data) + 0.5
    root = np.sqrt(closeness)
    x = (keep - np.average(keep, axis=0, weights=closeness)) * root[:, None]
    y = (score - np.average(score, weights=closeness)) * root
    x_norm, y_norm = np.linalg.norm(x, axis=0), np.linalg.norm(y)
    w0 = np.array([0.5, -3, 0, 0.5]) / 4
    unit = x / x_norm
    w = np.linalg.inv(unit.T @ unit + 0.7 * np.eye(4)) @ (unit.T @ (y / y_norm) + 0.7 * w0)
    np.testing.assert_allclose(found.weights[0], w * y_norm / x_norm, rtol=1e-4)
    assert found.facts[0]["prior_features"] == 3


def test_a_weak_prior_is_lime(ask, explain, named):
    plain = explain("lime", *named, samples=400, stop=0.0, penalty=0.0)
    np.testing.assert_allclose(ask({"debt": 5.0}, force=1e-7).weights, plain.weights, atol=1e-4)


def test_a_strong_prior_is_shared_out_as_it_says(ask):
    weights = ask({"age": 2.0, "debt": -6.0}, force=1e6).weights[0]
    assert abs(weights[1]) < 1e-3
    np.testing.assert_allclose(weights[[0, 3]] / weights[2], -1 / 6, rtol=0.1)  # spreads differ a little


def test_each_target_has_its_prior(ask, explain, named):
    prior = {"class 0": {"age": 1.0}, "class 1": {"debt": 1.0}}
    both = ask(prior, (0, 1))
    for at in (0, 1):
        np.testing.assert_allclose(both.weights[at], ask(prior[f"class {at}"], (at,)).weights[0], atol=1e-5)


@pytest.mark.parametrize(
    ("prior", "settings", "said"),
    [
        (None, {}, "needs a prior: --prior FILE"),
        ({}, {}, "needs a prior"),
        ({"tabby": {"age": 1.0}}, {}, "of the targets 'tabby'; it says nothing of 'class 0'"),
        ({"age": 1.0}, {"force": 0.0}, "--force 0: expected"),
        ({"age": 1.0}, {"scale": -1.0}, "--scale -1: expected"),
    ],
)
def test_what_makes_no_sense_is_refused(ask, prior, settings, said):
    with pytest.raises(UsageError, match=said):
        ask(prior, **settings)


def test_features_without_identities_are_refused(explain, two_patches, patches_picture):
    with pytest.raises(UsageError, match="no names that other inputs share"):
        explain("glime", two_patches, patches_picture, prior={"a": 1.0})

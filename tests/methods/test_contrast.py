import numpy as np
import pytest

from agnostic.inputs.image import image_sample
from agnostic.methods.contrast import against_rivals


@pytest.fixture
def sample(averaged, averaged_picture):
    return image_sample(averaged, averaged_picture)


def test_a_contrast_is_the_slope_of_the_log_probability(averaged, sample):
    scores = averaged.run(sample.arrays)["scores"][0].astype(np.float64)
    shares = np.exp(scores) / np.exp(scores).sum()
    target = averaged.target(0)
    contrast = against_rivals(averaged, sample, (target,))[0]
    direction = np.array([0.3, -0.2, 0.7])
    step = 1e-6

    def log_probability(values):
        return values[0] - np.log(np.exp(values).sum())

    slope = (log_probability(scores + step * direction) - log_probability(scores - step * direction)) / (2 * step)
    assert contrast.read({"scores": direction[None]})[0] == pytest.approx(slope, abs=0.02)
    assert contrast.name == target.name
    assert shares.max() < 0.999


def test_a_score_common_to_all_classes_cancels(averaged, sample):
    contrast = against_rivals(averaged, sample, (averaged.target(1),))[0]
    assert contrast.read({"scores": np.full((1, 3), 7.0)})[0] == pytest.approx(0, abs=1e-9)


def test_differences_and_hidden_units_stay_as_they_are(averaged, sample):
    targets = (averaged.target("scores[0] - scores[1]"), averaged.target("map:1"))
    assert against_rivals(averaged, sample, targets) == targets


def test_a_single_score_has_no_rivals(linear, explain):
    found = explain("occlusion", linear([[2.0], [1.0]]), np.ones(2, np.float32), contrast=True)
    np.testing.assert_allclose(found.values, [[2, 1]], atol=1e-6)

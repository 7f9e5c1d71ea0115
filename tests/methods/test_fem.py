import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.kernels.resize import bilinear


@pytest.mark.parametrize("deviations", [1.0, 0.5])
def test_the_map_is_the_formula(averaged, explain, averaged_picture, deviations):
    x = ((averaged_picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
    small = np.zeros((5, 5))
    for channel in averaged.activations(x, "map")[0].astype(np.float64):
        small += channel.mean() * (channel >= channel.mean() + deviations * channel.std())
    found = explain("fem", averaged, averaged_picture, (0, 1), deviations=deviations)
    expected = bilinear(small[None].astype(np.float32), (12, 12))
    np.testing.assert_allclose(found.values, np.repeat(expected, 2, axis=0), atol=1e-5)
    assert found.facts[0] == {"layer": "map", "class_agnostic": True}


def test_one_pass_is_enough(averaged, explain, averaged_picture):
    before = averaged.evaluations
    explain("fem", averaged, averaged_picture)
    assert averaged.evaluations == before + 1


def test_patches_that_stand_out_in_a_transformer_are_lit(transformer, explain, landscape_picture):
    values = explain("fem", transformer(), landscape_picture).values[0]
    assert values[12, 36] > 0 < values[28, 4]
    assert values[4, 4] == 0


def test_the_threshold_is_above_the_mean(averaged, explain, averaged_picture):
    with pytest.raises(UsageError, match="--deviations"):
        explain("fem", averaged, averaged_picture, deviations=-1.0)

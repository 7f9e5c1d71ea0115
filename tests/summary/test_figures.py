import numpy as np
import pytest

import agnostic
from agnostic.summary.figures import _shares


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("method", ["kernelshap", "permutation_importance", "pdp", "ice"])
def test_every_kind_draws_itself(additive, table, method, dark):
    (item,) = agnostic.summarize(additive, table[:10], method, 0).summaries
    drawn = np.asarray(item.figure(dark=dark))
    assert drawn.shape[0] > 300 and drawn.shape[1] > 600
    assert (drawn.mean() < 60) == dark


def test_no_more_features_than_wanted_are_drawn(additive, table):
    (item,) = agnostic.summarize(additive, table[:10], "kernelshap", 0).summaries
    assert item.figure(top=1).height < item.figure().height


def test_a_notebook_shows_the_figure(summary):
    assert summary._repr_png_().startswith(b"\x89PNG")


def test_values_are_shared_out_between_their_percentiles():
    shares = _shares(np.append(np.linspace(0, 100, 101), np.nan))
    assert shares[0] == 0 and shares[5] == 0 and shares[50] == pytest.approx(0.5) and shares[100] == 1
    assert np.isnan(shares[-1])
    assert np.isnan(_shares(np.ones(5))).all()
    np.testing.assert_array_equal(_shares(np.array([0.0] * 99 + [1.0]))[[0, -1]], [0, 1])

"""The pointing game on a real picture: a cat on the left 160/224 of the width, a cup of coffee on the rest."""

import numpy as np
import pytest

PICTURE = "cat_and_coffee.png"
CUT = 160
CAT_AND_CUP = ("Egyptian cat", "coffee mug")

SETTINGS = {"lime": {"samples": 600}, "occlusion": {"stride": 22}, "rise": {"masks": 500}, "scorecam": {}, "cam": {}}
SETTINGS |= {"gradcam": {}, "hirescam": {}, "xgradcam": {}, "guided_gradcam": {}}


def on_the_right_thing(values):
    """The share of the positive evidence for the cat that lies on the cat, and for the cup on the cup."""
    cat, cup = np.maximum(values, 0)
    return cat[:, :CUT].sum() / cat.sum(), cup[:, CUT:].sum() / cup.sum()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_evidence_lies_on_the_right_thing(squeezenet, explain, name):
    found = explain(name, squeezenet, PICTURE, CAT_AND_CUP, contrast=True, **SETTINGS[name])
    cat, cup = on_the_right_thing(found.values)
    assert cat >= 0.75
    assert cup >= 0.75


def test_the_strongest_place_is_right_for_plain_scores_too(squeezenet, explain):
    for name in ("cam", "scorecam", "gradcam", "hirescam", "xgradcam", "layercam", "gradcam++"):
        cat, cup = explain(name, squeezenet, PICTURE, CAT_AND_CUP).values
        assert cat.argmax() % 224 < CUT, name
        assert cup.argmax() % 224 >= CUT, name


@pytest.mark.parametrize("name", ["layercam", "gradcam++"])
def test_methods_of_positive_gradients_take_nothing_off_for_the_rival(squeezenet, explain, name):
    """Channels of both things have a positive gradient for both scores: their maps keep what is common to the two."""
    cat, cup = explain(name, squeezenet, PICTURE, CAT_AND_CUP, contrast=True).values
    assert on_the_right_thing(np.stack([cat, cup]))[0] >= 0.75
    assert (
        np.corrcoef(cat.ravel(), cup.ravel())[0, 1]
        > np.corrcoef(*explain("gradcam", squeezenet, PICTURE, CAT_AND_CUP, contrast=True).values.reshape(2, -1))[0, 1]
    )


def test_score_cam_needs_no_contrast(squeezenet, explain):
    assert min(on_the_right_thing(explain("scorecam", squeezenet, PICTURE, CAT_AND_CUP).values)) >= 0.75

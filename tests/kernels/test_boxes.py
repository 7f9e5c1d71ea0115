"""Boxes against plain loops over pixels and over pairs."""

import numpy as np
import pytest

from agnostic.kernels.boxes import best_of_overlapping, corners, overlaps

EDGES = [8.0, 17.0, 12.0, 23.0]


@pytest.mark.parametrize(
    ("form", "written"),
    [("xyxy", EDGES), ("yxyx", [17, 8, 23, 12]), ("xywh", [8, 17, 4, 6]), ("cxcywh", [10, 20, 4, 6])],
)
def test_every_form_has_the_same_corners(form: str, written: list[float]) -> None:
    boxes = np.array([[written, written]], np.float64)
    assert corners(boxes, form).tolist() == [[EDGES, EDGES]]


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="form is 'xy'"):
        corners(np.zeros((1, 4)), "xy")
    with pytest.raises(ValueError, match=r"boxes \(1, 5\)"):
        corners(np.zeros((1, 5)), "xyxy")


def painted(box: np.ndarray) -> np.ndarray:
    sheet = np.zeros((30, 30), bool)
    left, top, right, bottom = box.astype(int)
    sheet[top:bottom, left:right] = True
    return sheet


def test_overlap_is_that_of_painted_pixels(rng: np.random.Generator) -> None:
    ends = rng.integers(0, 30, (60, 2, 2))
    boxes = np.concatenate([ends.min(axis=1), ends.max(axis=1)], axis=1).astype(float)
    for own in boxes[:10]:
        expected = []
        for other in boxes:
            one, two = painted(own), painted(other)
            union = (one | two).sum()
            expected.append((one & two).sum() / union if union else 0.0)
        np.testing.assert_allclose(overlaps(boxes, own), expected, atol=1e-12)


def test_a_box_turned_inside_out_overlaps_nothing() -> None:
    assert overlaps(np.array([[5.0, 5, 1, 1]]), np.array([0.0, 0, 9, 9])).tolist() == [0]


def test_what_is_kept_is_what_a_loop_over_pairs_keeps(rng: np.random.Generator) -> None:
    corner = rng.uniform(0, 20, (80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 9, (80, 2))], axis=1)
    scores = rng.permutation(80) / 80
    kept: list[int] = []
    for at in np.argsort(-scores):
        if all(overlaps(boxes[[at]], boxes[k])[0] <= 0.3 for k in kept):
            kept.append(int(at))
    assert best_of_overlapping(boxes, scores, 0.3).tolist() == kept
    assert 5 < len(kept) < 80


def test_equal_scores_keep_the_first_and_nothing_stays_nothing() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [0, 0, 4, 4]])
    assert best_of_overlapping(boxes, np.array([0.5, 0.5]), 0.5).tolist() == [0]
    assert best_of_overlapping(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []

"""Rectangles: their corners, how much two of them overlap, and which of many that overlap are kept.

A box is four float64 numbers `left, top, right, bottom` unless a form says otherwise. There are hundreds or thousands
of them, not millions, and NumPy does whole rows at once: nothing here is compiled.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]

FORMS: dict[str, Callable[[Boxes], Boxes]] = {
    "xyxy": lambda b: b,
    "yxyx": lambda b: b[..., [1, 0, 3, 2]],
    "xywh": lambda b: np.concatenate([b[..., :2], b[..., :2] + b[..., 2:]], axis=-1),
    "cxcywh": lambda b: np.concatenate([b[..., :2] - b[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2], axis=-1),
}


def corners(boxes: Boxes, form: str) -> Boxes:
    """Turn boxes (..., 4) of any form into corners `left, top, right, bottom`.

    Args:
        boxes: four numbers each.
        form: `xyxy`, `yxyx`, `xywh` (left, top, width, height) or `cxcywh` (middle, width, height).

    >>> corners(np.array([10.0, 20, 4, 6]), "cxcywh").tolist()
    [8.0, 17.0, 12.0, 23.0]
    """
    if form not in FORMS or boxes.shape[-1:] != (4,):
        raise ValueError(f"form is {form!r} and boxes {boxes.shape}, expected one of {', '.join(FORMS)} and (..., 4)")
    return FORMS[form](np.asarray(boxes, np.float64))


def overlaps(boxes: Boxes, box: Boxes) -> NDArray[np.float64]:
    """Divide intersection by union of each box (..., 4) with one box (4,): 0 where a box has no area.

    >>> overlaps(np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]]), np.array([0.0, 0, 2, 2])).round(3).tolist()
    [1.0, 0.143, 0.0]
    """
    low, high = np.maximum(boxes[..., :2], box[:2]), np.minimum(boxes[..., 2:], box[2:])
    shared = _area(np.concatenate([low, high], axis=-1))
    union = _area(boxes) + _area(box) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def best_of_overlapping(boxes: Boxes, scores: NDArray[np.float64], most: float) -> NDArray[np.intp]:
    """Suppress what is not a maximum (greedy NMS): keep the best box, drop those that overlap it, and so on.

    Args:
        boxes: (n, 4) corners.
        scores: (n,).
        most: the overlap, intersection over union, above which the lower box is dropped.

    Returns:
        The indices of the boxes that are kept, best first; of equal scores the first.

    >>> boxes = np.array([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    >>> best_of_overlapping(boxes, np.array([0.5, 0.9, 0.7]), most=0.5).tolist()
    [1, 2]
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left):
        kept.append(int(left[0]))
        left = left[1:][overlaps(boxes[left[1:]], boxes[left[0]]) <= most]
    return np.array(kept, np.intp)


def _area(boxes: Boxes) -> NDArray[np.float64]:
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    area: NDArray[np.float64] = sides[..., 0] * sides[..., 1]
    return area

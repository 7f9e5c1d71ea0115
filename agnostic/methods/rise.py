"""RISE: the mean of random masks, weighted by the scores of what shows through them."""

from agnostic.methods._masks import Estimate, masked
from agnostic.methods.registry import Attribution, Task, method


@method("rise", needs=("forward",), summary="Random soft masks, weighted by the scores of what shows through them.")
def rise(
    task: Task,
    *,
    masks: int = 2000,
    cells: int = 7,
    probability: float = 0.5,
    estimate: Estimate = "centred",
) -> Attribution:
    """Weigh random masks by the scores of what shows through them (Petsiuk, Das and Saenko, BMVC 2018).

    On a grid of two axes the masks are soft blobs, enlarged from small random grids; elsewhere features are switched
    on and off. The paper's estimate is the mean of score x mask, over the probability. Every
    mask adds its part of the mean score to it, which is noise, and an offset of the scores changes the map. The centred
    estimate is the slope of the score over the mask at each position: signed, in units of the score.

    Args:
        task: the question.
        masks: how many.
        cells: length of a side of the random grid.
        probability: chance of a cell, or of a feature, to show.
        estimate: centred, or paper for the published one.
    """
    return masked(task, masks, cells, probability, estimate)

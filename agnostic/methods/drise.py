"""D-RISE: random masks, weighted by how well anything that shows through them matches one thing that was found."""

from agnostic.engine.detection import Match
from agnostic.errors import UsageError
from agnostic.methods._masks import Estimate, masked
from agnostic.methods.registry import Attribution, Task, method


@method("drise", needs=("forward",), summary="Random soft masks, weighted by how well what is found matches one box.")
def drise(
    task: Task,
    *,
    masks: int = 5000,
    cells: int = 16,
    probability: float = 0.5,
    estimate: Estimate = "centred",
) -> Attribution:
    """Weigh random masks by how well the best proposal matches the target's box (Petsiuk et al., CVPR 2021).

    The score is that of the target `box:N`, which every method explains: over all that is proposed, the largest product
    of overlap, likeness of the classes and objectness. What makes this one D-RISE is its finer grid and its number of
    masks, as in the paper: one thing among several is small. Masks exist a batch at a time, however many there are.

    Args:
        task: the question.
        masks: how many.
        cells: length of a side of the random grid.
        probability: chance of a cell, or of a feature, to show.
        estimate: centred, or paper for the published one; see `rise`.
    """
    for target in task.targets:
        if not any(isinstance(term, Match) for term in target.terms):
            raise UsageError(f"drise explains one of several boxes, such as box:0, not {target.name!r}; take rise")
    return masked(task, masks, cells, probability, estimate)

"""DeepLIFT: differences to a reference, shared out operator by operator."""

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.methods._baselines import baselines as make_baselines
from agnostic.methods._gradients import Array32, attribution
from agnostic.methods._integrate import closed, facts
from agnostic.methods.registry import Attribution, Task, method


@method(
    "deeplift",
    needs=("gradient",),
    summary="Differences to a reference, shared out operator by operator: one pass, and the values add up.",
    fill="black",
)
def deeplift(task: Task, *, baselines: tuple[str, ...] = ("fill",), gradient_of: GradientOf = "logit") -> Attribution:
    """Share out the score's difference to references by the rescale rule (Shrikumar, Greenside & Kundaje 2017).

    A nonlinearity's share is its slope from reference to sample. A maximum gives all to the place of the larger of the
    two; products, softmax and norms give each input its derivative, averaged over the straight line in between.

    Args:
        task: the question.
        baselines: the references, averaged over: fill (as --fill says), zero, noise, black, white or another fill.
        gradient_of: logit, probability or loss of the target.
    """
    references = make_baselines(task, baselines)
    pairs = len(references)

    def write(start: int, stop: int, out: Array32) -> None:
        for row, number in enumerate(range(start, stop)):
            out[row] = task.origin if number < pairs else references[number - pairs]

    found = np.zeros((len(task.targets), *task.origin.shape))
    scores, bases = np.zeros((2, len(task.targets)))
    for block in task.gradient_sweep(2 * pairs, write, of=gradient_of, rule="rescale"):
        multipliers = block.found.gradients[task.source]
        for row, number in enumerate(range(block.start, block.stop)):
            found += multipliers[:, row] * (task.origin.astype(np.float64) - references[number]) / pairs
        samples, theirs = np.split(block.found.scores, 2)
        scores, bases = scores + samples.sum(axis=0) / pairs, bases + theirs.sum(axis=0) / pairs
    shared = closed(found, scores, bases)
    return attribution(task, found, base_values=bases, facts=facts(shared, baselines=list(baselines)))

"""Generic attention: relevance propagated through every attention, weighed by its gradient."""

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.methods._attention import attribution, chain, obstacle
from agnostic.methods.registry import Attribution, Task, method


@method(
    "generic_attention",
    needs=("attention", "gradient"),
    summary="Attention weighed by what it does for the score, followed through all layers; one pass back.",
    check=obstacle,
)
def generic_attention(
    task: Task, *, start_layer: int = 0, gradient_of: GradientOf = "logit", readout: str = "auto"
) -> Attribution:
    """Add up, layer by layer, what attention that raises the score hands on (Chefer, Gur and Wolf, ICCV 2021).

    The rule for self-attention: R starts as the identity and becomes R + E R, where E is the mean over heads of the
    positive part of attention times its gradient. What is left when the identity is taken off again is the map: every
    token's relevance to itself says nothing of the others.

    Args:
        task: the question.
        start_layer: the first attention that counts, from 0.
        gradient_of: logit, probability or loss of the target.
        readout: the tokens the answer is read from: auto (as the graph says), class (the first), mean, or a number.
    """
    found = chain(task, start_layer=start_layer, readout=readout, of=gradient_of)
    identity = np.eye(found.size)
    relevance = np.repeat(identity[None], len(task.targets), axis=0)
    for held, gradient in zip(found.maps, found.gradients, strict=True):
        relevance = relevance + np.maximum(held * gradient, 0).mean(axis=1) @ relevance
    return attribution(task, found.read(relevance - identity), found)

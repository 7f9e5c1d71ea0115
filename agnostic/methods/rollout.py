"""Attention rollout: how much of each token reaches the answer, if attention were all that happens."""

import numpy as np

from agnostic.methods._attention import attribution, chain, obstacle
from agnostic.methods.registry import Attribution, Task, method


@method(
    "rollout",
    needs=("attention",),
    summary="How attention hands tokens on to the answer, whatever the class; one pass, no gradient.",
    check=obstacle,
)
def rollout(task: Task, *, start_layer: int = 0, readout: str = "auto") -> Attribution:
    """Multiply the attentions of all layers (Abnar and Zuidema, ACL 2020).

    Each layer hands on the mean of its heads and, for the residual connection, as much of the token itself: half
    attention, half identity. The target plays no part.

    Args:
        task: the question.
        start_layer: the first attention that counts, from 0.
        readout: the tokens the answer is read from: auto (as the graph says), class (the first), mean, or a number.
    """
    found = chain(task, start_layer=start_layer, readout=readout)
    joint = np.eye(found.size)
    for held in found.maps:
        mixed = held.mean(axis=0) + np.eye(found.size)
        # Rows of a mask that lets nothing be seen may not add up to one.
        joint = mixed / mixed.sum(axis=1, keepdims=True) @ joint
    tokens = found.read(np.repeat(joint[None], len(task.targets), axis=0))
    return attribution(task, tokens, found, class_agnostic=True)

"""Transition attention maps: a Markov chain of attentions, weighed by the integrated gradient of the last."""

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.methods._attention import attribution, chain, obstacle
from agnostic.methods.registry import Attribution, Task, method

# The paper leaves out the first 4 of 12 layers.
_SKIPPED = 1 / 3


@method(
    "tam",
    needs=("attention", "gradient"),
    summary="Attention as a Markov chain towards the answer, times integrated gradients of its last step.",
    check=obstacle,
)
def tam(
    task: Task, *, start_layer: int = -1, steps: int = 20, gradient_of: GradientOf = "logit", readout: str = "auto"
) -> Attribution:
    """Walk back from the answer through the attentions (Yuan, Li, Xiong, Cao and Dou 2021).

    The state is the last attention's row for the token that is read; every layer before adds the state times its
    attention, averaged over heads. The result is weighed by the positive part of the integrated gradient of the last
    attention, from a zero input to the sample.

    Args:
        task: the question.
        start_layer: the first attention that counts, from 0; -1 leaves out the first third of them, as the paper does.
        steps: points on the path of the integrated gradient.
        gradient_of: logit, probability or loss of the target.
        readout: the tokens the answer is read from: auto (as the graph says), class (the first), mean, or a number.
    """
    found = chain(task, start_layer=start_layer, share=_SKIPPED, readout=readout, of=gradient_of)
    *before, state = [held.mean(axis=0) for held in found.maps]
    for held in reversed(before):
        state = state + state @ held
    return attribution(task, found.read(np.multiply(state, found.feedback(steps))), found)

"""Bidirectional transformer attribution: how tokens are perceived on the way up, and what the answer makes of them."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from agnostic.converters.attention import Attention
from agnostic.engine.autograd import GradientOf
from agnostic.errors import UsageError
from agnostic.methods._attention import Chain, attribution, chain, obstacle
from agnostic.methods.registry import Attribution, Task, method

Floats = npt.NDArray[np.float64]

# A quarter of the layers, which is 3 of 12.
_SKIPPED = 1 / 4


@method(
    "bidirectional_transformer",
    needs=("attention", "gradient"),
    summary="Attention perception (by head or by token) times reasoning feedback; for transformers.",
    check=obstacle,
)
def bidirectional_transformer(
    task: Task,
    *,
    ap_mode: Literal["head", "token"] = "head",
    start_layer: int = -1,
    steps: int = 20,
    gradient_of: GradientOf = "logit",
    readout: str = "auto",
) -> Attribution:
    """Multiply attention perception by reasoning feedback (Chen et al., Beyond intuition, TMLR 2023).

    Perception follows the attentions upwards: P starts as the identity and becomes P + O P. By head, O is the sum of
    the heads' attentions, each weighed by the share of its sensitivity, the mean absolute entry of the transposed
    attention times its gradient. By token, O is the mean over heads, where what each token gives is weighed by how much
    the values' projections lengthen it. Feedback is the positive part of the integrated gradient of the last attention.

    Args:
        task: the question.
        ap_mode: what perception weighs: head or token.
        start_layer: the first attention that counts, from 0; -1 leaves out the first quarter of them.
        steps: points on the path of the integrated gradient.
        gradient_of: logit, probability or loss of the target.
        readout: the tokens the answer is read from: auto (as the graph says), class (the first), mean, or a number.
    """
    found = chain(task, start_layer=start_layer, share=_SKIPPED, readout=readout, of=gradient_of)
    perceived = np.repeat(np.eye(found.size)[None], len(task.targets), axis=0)
    for step in _by_head(found) if ap_mode == "head" else _by_token(found):
        perceived = perceived + step @ perceived
    return attribution(task, found.read(perceived * found.feedback(steps)), found)


def _by_head(found: Chain) -> list[Floats]:
    """Average heads by their sensitivity: (targets, T, T) for every attention."""
    steps = []
    for held, gradient in zip(found.maps, found.gradients, strict=True):
        sensitivity = np.abs(held.transpose(0, 2, 1) @ gradient).mean(axis=(-1, -2))
        total = sensitivity.sum(axis=1, keepdims=True)
        # Where no head matters, none matters more than another.
        shares = np.divide(sensitivity, total, out=np.full_like(sensitivity, 1 / len(held)), where=total > 0)
        steps.append(np.einsum("th,hij->tij", shares, held))
    return steps


def _by_token(found: Chain) -> list[Floats]:
    """Weigh tokens by how much their values lengthen them: (T, T) for every attention."""
    return [
        held.mean(axis=0) * _lengthening(found, item) for item, held in zip(found.attentions, found.maps, strict=True)
    ]


def _lengthening(found: Chain, attention: Attention) -> Floats:
    """Divide the norm of every token's projected value by that of the token itself: (T,).

    The projection is what the graph does to the mixture of values until it is added to the stream, run with the
    values themselves in place of the mixture; a run with zeros takes the biases off.

    Raises:
        UsageError: the graph does not show the projection, or mixes values and tokens in other layouts.
    """
    task = found.task
    if not attention.stream:
        raise UsageError(
            f"what {attention.probabilities!r} adds to its tokens does not show in the graph; take --ap-mode head"
        )
    names = (attention.values, attention.output, attention.stream)
    values, mixed, tokens = (task.model.run(task.sample.arrays, names)[name] for name in names)
    if values.shape != mixed.shape:
        raise UsageError(f"{attention.values!r} is laid out unlike {attention.output!r}; take --ap-mode head")

    def projected(held: npt.NDArray[np.generic]) -> Floats:
        feeds = {**task.sample.arrays, attention.output: held}
        added = task.model.autograd.forward(feeds, [attention.added])[attention.added]
        return added.reshape(found.whole, -1)[found.used].astype(np.float64)

    lengths = np.linalg.norm(projected(values) - projected(np.zeros_like(values)), axis=1)
    own = np.linalg.norm(tokens.reshape(found.whole, -1)[found.used].astype(np.float64), axis=1)
    ratio: Floats = np.divide(lengths, own, out=np.zeros_like(lengths), where=own > 0)
    return ratio

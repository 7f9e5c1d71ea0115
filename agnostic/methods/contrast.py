"""Contrast: what speaks for a class rather than for whatever else the model sees in this input."""

import numpy as np

from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target, Term
from agnostic.inputs.sample import Sample

# Rivals with less of the probability than this change the map by less than one can see.
LEAST_SHARE = 1e-2


def against_rivals(model: Model, sample: Sample, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """Take off each class score what the model expects of the scores on this input: z_c - sum over k of p_k z_k.

    A class score alone rises with everything that looks like any thing at all, which a softmax then cancels; its
    evidence lies all over the input. The softmax p of the untouched input says which classes compete. The contrast is
    the first-order change of log p_c, and as a plain sum of scores it can be explained by every method. It leaves
    alone what is no class score, differences of class scores, and models with a single score.
    """
    rivals = _rivals(model, sample)
    return tuple(_contrasted(model, target, rivals) for target in targets)


def _contrasted(model: Model, target: Target, rivals: tuple[Term, ...]) -> Target:
    scored = target.tensors == (model.scores_tensor,)
    weight = sum(term.weight for term in target.terms)
    if not rivals or not scored or abs(weight) < 1e-12:
        return target
    taken = tuple(Term(term.tensor, term.index, -weight * term.weight) for term in rivals)
    return Target(target.terms + taken, target.name)


def _rivals(model: Model, sample: Sample) -> tuple[Term, ...]:
    """The classes that share the probability, each with its share; none where there are no several classes."""
    count = model.names.class_count
    if count is None or count < 2:
        return ()
    terms = (model.names.class_target(index).terms[0] for index in range(count))
    classes = [term for term in terms if isinstance(term, Term)]
    shares = _softmax(_scores(model, sample))
    kept = np.flatnonzero(shares >= LEAST_SHARE)
    whole = shares[kept].sum()
    return tuple(Term(classes[at].tensor, classes[at].index, float(shares[at] / whole)) for at in kept)


def _scores(model: Model, sample: Sample) -> Floats:
    """All class scores, (classes,): positions along other axes are averaged, as targets do."""
    values = model.run(sample.arrays, (model.scores_tensor,))[model.scores_tensor][0].astype(np.float64)
    scores: Floats = np.moveaxis(values, model.names.class_axis, 0).reshape(values.shape[model.names.class_axis], -1)
    return np.asarray(scores.mean(axis=1))


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())

"""The badges that ask the model again: along other paths, with units taken out, with weights unlearned."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import LayerAttribution, attribute
from agnostic.blocks.badges import Badge, correlation, judged, overlap, spearman
from agnostic.blocks.maps import Array32, Held, held
from agnostic.blocks.slopes import DEFAULT_BATCH, How
from agnostic.converters.graph import dependents
from agnostic.converters.reinitialise import shuffled, weights
from agnostic.engine.gradients import Points, gradient_sweep
from agnostic.engine.gradients import parity as reimport_parity
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.engine.target import Floats, Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample

# How much earlier or later than the others a unit may come up on a curved path: the exponents of its share.
_BEND = 2.0


def parity(model: Model, sample: Sample, layer: str | None = None) -> Badge:
    """Compare the torch re-import with onnxruntime, and the part behind a layer, replayed from it, with the whole.

    Raises:
        UsageError: torch is not installed, or there is no such layer.
    """
    found = reimport_parity(model, sample.arrays)
    facts = {"reimport": found.relative}
    if layer is not None:
        facts["replay"] = _replay(model, sample, layer)
    worst = max(facts.values())
    sentences = (
        "The gradients are those of this very model.",
        "The gradients are of a graph that differs slightly from the model.",
        "The gradients are of a graph that answers differently: do not rely on them.",
    )
    return judged("parity", worst, (1e-4, 1e-2), sentences, text=f"{worst:.1e}", facts=facts)


def path_dependence(
    model: Model,
    sample: Sample,
    layer: str,
    target: Target | str | int,
    *,
    paths: int = 3,
    steps: int = 16,
    k: int = 10,
    seed: int = 0,
) -> Badge:
    """Compare the units' attributions by the linear rule, the straight path, and curved paths on which units come up
    at different times.

    Returns:
        The badge's value is the rank correlation over units of the linear rule and the straight path; its facts are
        that (`linear`), how many of the k largest they share (`shared`), the mean rank correlation of two curved
        paths (`curved`), and how far those are apart as a share of their length (`spread`).

    Raises:
        UsageError: a name or setting does not fit.
        ModelError: there is no gradient.
    """  # noqa: D205
    if paths < 2 or k < 1:
        raise UsageError(f"paths={paths}, k={k}: expected 2 or more paths and 1 or more units")
    straight = attribute(model, sample, layer, [target])[0].channels
    linear = attribute(model, sample, layer, [target], how="linear")[0].channels
    curves = curved(model, sample, layer, target, paths=paths, steps=steps, seed=seed).sum(axis=(2, 3))
    pairs = [(curves[i], curves[j]) for i in range(paths) for j in range(i)]
    lengths = np.linalg.norm(curves, axis=1).mean()
    among = min(k, len(straight))
    facts = {
        "linear": spearman(linear, straight),
        "shared": overlap(linear, straight, among),
        "curved": float(np.mean([spearman(one, other) for one, other in pairs])),
        "spread": float(np.mean([np.linalg.norm(one - other) for one, other in pairs]) / (lengths or 1)),
    }
    sentences = (
        "Different ways to attribute rank the units much alike.",
        "Different ways to attribute agree on the main units and differ in the rest.",
        "Two reasonable paths rank different units first: read this picture with care.",
    )
    text = f"{facts['linear']:.2f}, {facts['shared']:.0f} of {among}"
    return judged("path dependence", facts["linear"], (0.85, 0.6), sentences, text=text, facts=facts)


def curved(
    model: Model,
    sample: Sample,
    layer: str,
    target: Target | str | int,
    *,
    paths: int = 3,
    steps: int = 16,
    seed: int = 0,
    batch_size: int = DEFAULT_BATCH,
) -> Floats:
    """Attribute a target to a layer along random paths from zero: (paths, C, h, w) float64.

    On each, every unit rises at its own pace and never past what it holds. All are complete, and none is more right
    than the others.
    """
    found = held(model, sample, layer)
    aim = model.target(target)
    marks = np.linspace(0.0, 1.0, steps + 1)
    found_paths = [_curve(found, np.random.default_rng([seed, i]), marks) for i in range(paths)]
    return np.stack([_along(model, sample, found, aim, *curve, batch_size) for curve in found_paths])


def ablation(
    model: Model, sample: Sample, found: LayerAttribution, target: Target | str | int, *, k: int = 16
) -> Badge:
    """Zero the units that matter most, one by one and all together, and compare the loss with what was predicted.

    Args:
        model: the model.
        sample: the input.
        found: the attribution of the target to a layer.
        target: its target.
        k: how many units, the largest by size.

    Returns:
        The badge's value is the rank correlation of predicted and measured losses; its facts are that (`ranks`),
        their plain correlation (`linear`), and what all of them lose together as measured (`measured`) and as
        predicted (`predicted`).

    Raises:
        UsageError: a name does not fit, or there are fewer than two units.
    """
    predicted = found.channels
    units = np.argsort(-abs(predicted), kind="stable")[:k]
    if len(units) < 2:
        raise UsageError(f"k={k} units of {len(predicted)}: ranks need 2 or more")
    losses = _losses(model, sample, found.layer, model.target(target), [*units[:, None], units])
    ranks = spearman(predicted[units], losses[:-1])
    facts = {
        "ranks": ranks,
        "linear": correlation(predicted[units], losses[:-1]),
        "measured": float(losses[-1]),
        "predicted": float(predicted[units].sum()),
    }
    sentences = (
        "Taking these units out costs the score what the attribution says.",
        "Taking these units out changes the score roughly as the attribution says.",
        "Taking these units out does not change the score as the attribution says.",
    )
    return judged("ablation", ranks, (0.8, 0.5), sentences, text=f"{ranks:.2f}", facts=facts)


def randomisation(
    model: Model,
    sample: Sample,
    layer: str,
    target: Target | str | int,
    *,
    how: How = "path",
    stages: int = 3,
    seed: int = 0,
) -> Badge:
    """Unlearn the weights from the output towards the layer and compare the attribution with what it was.

    After Adebayo et al., "Sanity Checks for Saliency Maps" (2018). What the layer holds is left as it was: only what
    lies behind it is unlearned.

    Returns:
        The badge's value is the mean size of the rank correlation with the attribution of the learned model; its
        facts hold each stage by the number of weights unlearned.

    Raises:
        UsageError: no weights lie behind the layer.
        ModelError: there is no gradient.
    """
    behind = _weights_behind(model, layer)
    aim = model.target(target)
    before = attribute(model, sample, layer, [aim], how=how)[0].values
    facts = {}
    for count in _counts(len(behind), stages):
        unlearned = _unlearned(model, behind[len(behind) - count :], seed)
        after = attribute(unlearned, sample, layer, [aim], how=how)[0].values
        facts[f"{count} unlearned"] = _or_zero(spearman(before, after))
    value = float(np.mean(np.abs(list(facts.values()))))
    sentences = (
        "The attribution depends on what the model has learned: unlearned, it is another one.",
        "Part of the attribution stays when the model is unlearned: that part is of the picture, not the model.",
        "The attribution hardly changes when the model is unlearned: it tells little of the model.",
    )
    return judged("randomisation", value, (0.3, 0.6), sentences, text=f"{value:.2f}", facts=facts)


def _replay(model: Model, sample: Sample, layer: str) -> float:
    whole = model.run(sample.arrays, [model.scores_tensor])[model.scores_tensor]
    stored = model.activations(sample.arrays, layer)
    again = model.run_from(layer, stored, sample.arrays, [model.scores_tensor])[model.scores_tensor]
    apart = np.abs(whole.astype(np.float64) - again.astype(np.float64)).max()
    return float(apart / (np.abs(whole.astype(np.float64)).max() or 1.0))


def _curve(found: Held, rng: np.random.Generator, marks: Floats) -> tuple[Floats, Floats]:
    """Where the gradient is taken on a path, and the steps it stands for: (steps, ...) shares of the layer each."""
    pace = _BEND ** rng.uniform(-1, 1, (1, len(found.maps), 1, 1))
    powers = found.to_stored(np.broadcast_to(pace, (1, *found.maps.shape)).astype(np.float32))[0].astype(np.float64)
    # Tokens that are no places rise evenly.
    powers[powers == 0] = 1
    ends = marks.reshape(-1, *[1] * powers.ndim) ** powers
    return (ends[1:] + ends[:-1]) / 2, np.diff(ends, axis=0)


def _along(
    model: Model, sample: Sample, found: Held, aim: Target, middles: Floats, steps: Floats, batch_size: int
) -> Floats:
    origin = found.stored[0].astype(np.float64)

    def write(start: int, stop: int, out: Array32) -> None:
        out[:] = origin * middles[start:stop]

    name = found.layer.name
    points = Points(name, len(middles), origin.shape, write)
    total = np.zeros_like(origin)
    for block in gradient_sweep(model, sample.arrays, points, [aim], (name,), batch_size=batch_size):
        total += (block.found.gradients[name][0] * steps[block.start : block.stop]).sum(axis=0)
    values: Floats = found.to_maps((total * origin)[None].astype(np.float32))[0].astype(np.float64)
    return values


def _losses(model: Model, sample: Sample, layer: str, aim: Target, sets: Sequence[npt.NDArray[np.intp]]) -> Floats:
    """How much the score falls when sets of units are zero: (sets,)."""
    found = held(model, sample, layer)
    losses = []
    for start in range(0, len(sets), DEFAULT_BATCH):
        some = sets[start : start + DEFAULT_BATCH]
        keep = np.ones((len(some), *found.maps.shape), np.float32)
        for row, units in enumerate(some):
            keep[row, units] = 0
        # Tokens that are no places stay as they are.
        gone = found.to_stored((1 - keep) * found.maps)
        rows = (found.stored.astype(np.float32) - gone).astype(found.stored.dtype)
        losses.append(aim.read(model.run_from(layer, rows, sample.arrays, aim.tensors)))
    full = aim.read(model.run(sample.arrays, aim.tensors))[0]
    fallen: Floats = full - np.concatenate(losses)
    return fallen


def _weights_behind(model: Model, layer: str) -> tuple[str, ...]:
    """The weights of nodes that depend on a layer, first first."""
    model.layer(layer)
    nodes = list(model.proto.graph.node)
    reached = dependents(nodes, layer)
    behind = [bool(reached & set(node.output)) and layer not in node.output for node in nodes]
    later, before = (
        {name for node, is_behind in zip(nodes, behind, strict=True) if is_behind is side for name in node.input}
        for side in (True, False)
    )
    found = tuple(name for name in weights(model.proto) if name in later - before)
    if not found:
        raise UsageError(f"no weights lie behind {layer!r}: there is nothing to unlearn; take an earlier layer")
    return found


def _counts(most: int, stages: int) -> Iterator[int]:
    """How many weights are unlearned at each stage: from one to all."""
    return iter(sorted({round(number) for number in np.linspace(1, most, max(1, min(stages, most)))}))


def _unlearned(model: Model, names: Sequence[str], seed: int) -> Model:
    return load(
        shuffled(model.proto, names, seed),
        device=model.device,
        raw_output=model.raw_output,
        straight_through=model.straight_through,
        allow_parity=model.allow_parity,
    )


def _or_zero(value: float) -> float:
    """An attribution that is constant has nothing in common with any other."""
    return value if np.isfinite(value) else 0.0

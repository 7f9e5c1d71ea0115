"""From an order to finished portraits: render, find out what each picture is of, measure it, record how it was made."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

from agnostic.engine.gradients import Parity
from agnostic.engine.target import Target, Term
from agnostic.errors import UsageError
from agnostic.optvis.lens import Lens
from agnostic.optvis.library import Library
from agnostic.optvis.measures import Measures, measure, plain_measures
from agnostic.optvis.recipes import Order, Recipe
from agnostic.optvis.record import Portrait, portraits
from agnostic.optvis.rendering import Rendering, Stopped
from agnostic.optvis.scoring import Scorer
from agnostic.optvis.stopping import STOPS, reason

# What is behind a name that stands for several pictures.
_NUMBERED = " #"
_UNIT = re.compile(r":(\d+)$")


def portray(
    order: Order,
    recipe: Recipe,
    settings: Mapping[str, Any],
    *,
    library: Library | None = None,
) -> tuple[list[Portrait], Stopped]:
    """Follow a recipe and measure what comes out.

    Args:
        order: what every recipe gets.
        recipe: the recipe.
        settings: its options.
        library: pictures of the user beside which the rendered ones are judged.

    Returns:
        The portraits, and what stopped it, if anything did; then they have only the numbers that cost nothing.

    Raises:
        ModelError: the torch re-import is not the same model.
        AgnosticError: see `recipes` and `render`.
    """
    scorer = Scorer(order.lens)
    parity = certificate(scorer, order)
    streams = tuple(stream_of(name) for name in order.names)
    rendering = recipe(replace(order, streams=streams), **settings)
    labels = labels_of(rendering, order.names)
    numbers, stopped = _measured(scorer, rendering, labels, order.seed, library)
    made_by = made_with(order, recipe, settings) | {"names": list(order.names)}
    found = portraits(rendering, labels, numbers, model=order.lens.model, made_by=made_by, parity=parity)
    return found, stopped


def made_with(order: Order, recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write down all that was chosen, as plain values: what a picture depends on beside the model and its unit."""
    space, colours = order.lens.space, order.colours
    given = {option.name: settings.get(option.name, option.default) for option in recipe.options}
    return {
        "recipe": recipe.name,
        "options": {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()},
        "spectrum": order.spectrum.name if order.preset.phases else None,
        "preset": {key: value for key, value in asdict(order.preset).items() if key != "summary"},
        "seed": order.seed,
        "pre_activation": order.lens.pre_activation,
        "redirect_steps": order.redirect_steps,
        "smooth_pool": order.smooth_pool,
        "picture": None if order.picture is None else sha256(order.picture.tobytes()).hexdigest(),
        "colours": None if colours is None or space.channels != colours.channels else _plain(asdict(colours)),
        "input": _plain({key: value for key, value in asdict(space).items() if key != "notes"}),
    }


def certificate(scorer: Scorer, order: Order) -> Parity:
    """Compare the re-import with onnxruntime on a random picture, on all that the order names.

    Raises:
        ModelError: it is not the same model.
    """
    named = [target for name in order.names if (target := _tensor_of(order.lens, name)) is not None]
    return scorer.parity(named, order.seed)


def stream_of(name: str) -> int:
    """Give the number that a unit's random draws come from: its own, so that company changes nothing.

    >>> stream_of("fire2/concat:12")
    12
    """
    unit = _UNIT.search(name)
    return int(unit[1]) if unit else zlib.crc32(name.encode())


def labels_of(rendering: Rendering, names: Sequence[str]) -> list[str]:
    """Say what each picture is of, each in other words: several of one thing are numbered."""
    count = len(rendering.pictures)
    given = list(rendering.names)
    if len(given) != count:
        each, rest = divmod(count, len(names))
        given = [name for name in names for _ in range(each)] if not rest else [" to ".join(names)] * count
    seen: dict[str, int] = {}
    labels = []
    for name in given:
        seen[name] = seen.get(name, 0) + 1
        labels.append(f"{name}{_NUMBERED}{seen[name]}" if given.count(name) > 1 else name)
    return labels


def target_of(lens: Lens, label: str) -> Target | None:
    """Find the target that a picture is of; None where it is of no single one."""
    try:
        return lens.model.target(label.split(_NUMBERED)[0])
    except UsageError:
        return None


def _measured(
    scorer: Scorer, rendering: Rendering, labels: Sequence[str], seed: int, library: Library | None
) -> tuple[Sequence[Measures], Stopped]:
    """Measure what was rendered to its end; what is stopped now is a finished picture with fewer numbers."""
    if rendering.stopped:
        return plain_measures(rendering), rendering.stopped
    targets = [target_of(scorer.lens, label) for label in labels]
    try:
        found = measure(scorer, rendering, targets, seed=seed)
        return found if library is None else _beside(found, targets, library, scorer.lens), ""
    except STOPS as stop:
        return plain_measures(rendering), reason(stop)


def _beside(
    measures: Sequence[Measures], targets: Sequence[Target | None], library: Library, lens: Lens
) -> list[Measures]:
    different = list(dict.fromkeys(target for target in targets if target is not None))
    if not different:
        return list(measures)
    scores = dict(zip(different, library.scores(lens, different).T, strict=True))
    return [
        numbers if target is None else numbers.beside(scores[target])
        for numbers, target in zip(measures, targets, strict=True)
    ]


def _tensor_of(lens: Lens, name: str) -> Target | None:
    if (target := target_of(lens, name)) is not None:
        return target
    known = {layer.name for layer in lens.model.layers}
    return Target((Term(name, ()),), name) if name in known else None


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _listed(value) for key, value in values.items()}


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value

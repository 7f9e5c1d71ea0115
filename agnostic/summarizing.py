"""The verb of data sets: what a method finds over many inputs, for each target."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agnostic.answers import OneTarget
from agnostic.answers import question as asked
from agnostic.api import answer, predict, prepare
from agnostic.engine.limits import time_limit
from agnostic.engine.model import Model
from agnostic.engine.opening import Source, load
from agnostic.engine.sweep import Progress
from agnostic.engine.target import Target
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.reading import Reading
from agnostic.inputs.sample import Sample
from agnostic.inputs.several import Single, singles
from agnostic.methods import Method, all_methods, get
from agnostic.summary import clusters as clustering
from agnostic.summary import global_methods
from agnostic.summary.clusters import Clusters
from agnostic.summary.columns import columns_of
from agnostic.summary.examples import Examples
from agnostic.summary.priors import Prior, prior_of
from agnostic.summary.record import Summary
from agnostic.summary.registry import DataSet, GlobalMethod, get_global
from agnostic.summary.tally import Tally
from agnostic.versions import versions

EACH_CLASS = "each"
# Above this, one summary for each class is no summary.
MOST_CLASSES = 50


@dataclass(frozen=True)
class Overview:
    """What was found over a data set.

    Attributes:
        summaries: one for each target.
        prior: what local methods can lean on; None where the method gave no weights to average.
        failed: the inputs that could not be used, and why.
        notes: what was assumed, one line each.
    """

    summaries: tuple[Summary, ...]
    prior: Prior | None = None
    failed: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Question:
    """What stays the same for every input."""

    model: Model
    inputs: Sequence[Single]
    targets: Sequence[OneTarget]
    reading: Reading
    batch_size: int | None
    progress: Progress | None


def summarize(
    model: Model | Source,
    inputs: Any,
    method: str = "lime",
    target: OneTarget | Sequence[str | int | Target] = None,
    *,
    truth: Sequence[Any] | str | None = None,
    clusters: int = 0,
    layer: str | None = None,
    source: str | None = None,
    features: Any = None,
    fill: str | None = None,
    baseline: Any = None,
    background: Any = None,
    seed: int = 0,
    batch_size: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Overview:
    """Sum up over many inputs what a method finds on each, or ask a method of data sets.

    Inputs are gone through one after another, and what each feature got is collected by the name that it has in all of
    them: its column, its word, or the cluster of its piece.

    Args:
        model: a Model, or anything `load` opens.
        inputs: several, as `explain` takes them; a folder of pictures, a .txt file with one text a line, an array of
            several rows, or a table.
        method: a name that `agnostic methods` lists: of one input, or of data sets (`permutation_importance`, ...).
        target: one, or a list; by default each input's own top class, with one summary for each class that comes up.
            `each` takes every class of the model on every input.
        truth: the right answer for each input, for the rise of the loss; or the name of the table's column with it.
        clusters: into how many groups the pieces of pictures go, so that they can be compared.
        layer: by what the model sees in a piece, for `clusters`; the last map by default.
        source: the input that is explained, where the model has several.
        features: the pieces, as for `explain`.
        fill: what stands in where a piece is off, as for `explain`.
        baseline: what stands in where an entry of an array is off.
        background: rows that stand in where a column of a table is off.
        seed: of everything random.
        batch_size: rows per run of the model.
        timeout: seconds after which a LimitError is raised.
        progress: called with (done, total) inputs.
        **settings: the method's own options.

    Raises:
        AgnosticError: one line that says what was given, what was expected, what to do.
    """
    several = isinstance(target, Sequence) and not isinstance(target, str)
    targets: Sequence[OneTarget] = target if several else [target]  # type: ignore[assignment,list-item]
    with time_limit(timeout):
        opened = model if isinstance(model, Model) else load(model)
        reading = Reading(
            source=source, features=features, fill=fill, seed=seed, background=background,
            **({} if baseline is None else {"baseline": baseline}),
        )  # fmt: skip
        question = _Question(opened, singles(opened, inputs, reading), targets, reading, batch_size, progress)
        found = find(method)
        if isinstance(found, GlobalMethod):
            if clusters:
                raise UsageError(f"{method} asks about columns; drop --clusters")
            return _global(question, found, _answers(question, truth), settings)
        if truth is not None:
            raise UsageError(f"{method} does not look at right answers; drop --truth, or take permutation_importance")
        return _local(question, found, clusters, layer, settings)


def find(method: str) -> Method | GlobalMethod:
    """Look a method up, of one input or of a data set.

    Raises:
        UsageError: there is none of that name; the nearest names are offered.
    """
    local, of_data = [item.name for item in all_methods()], [item.name for item in global_methods()]
    if method in of_data:
        return get_global(method)
    if method not in local:
        raise unknown("method", method, [*local, *of_data])
    return get(method)


def _local(
    question: _Question, method: Method, clusters: int, layer: str | None, settings: Mapping[str, Any]
) -> Overview:
    """Explain input after input, and fold each record into the tally of its target."""
    model, failed, notes = question.model, dict[str, str](), dict[str, None]()
    named = _clusters(question, method, clusters, layer) if clusters else None
    tallies: dict[str, Tally] = {}
    examples: dict[str, Examples] = {}
    for single, sample in _samples(question, method, failed):
        notes.update(dict.fromkeys(sample.notes))
        ready = sample if named is None else named.named(model, sample)
        try:
            found = answer(
                model, ready, method, _targets(model, question.targets), settings, seed=question.reading.seed,
                batch_size=question.batch_size,
            )  # fmt: skip
        except InputError as error:
            failed[single.name] = str(error)
            continue
        for record in found:
            tallies.setdefault(record.target, Tally()).add(record, ready)
            if named is not None:
                examples.setdefault(record.target, Examples(named)).add(model, ready)
    if not tallies:
        raise InputError(f"none of {len(question.inputs)} inputs could be used: {next(iter(failed.values()))}")
    meta = _meta(question, {"settings": method.settings(settings)})
    summaries = [tally.summary(method.name, target, meta) for target, tally in tallies.items()]
    summaries = [examples[item.target].shown_in(item) if item.target in examples else item for item in summaries]
    return Overview(tuple(summaries), prior_of(summaries, named), failed, tuple(notes))


def _samples(
    question: _Question, method: Method, failed: dict[str, str], *, told: bool = True
) -> Iterator[tuple[Single, Sample]]:
    """Read one input after another; one that cannot be read is noted, unless it is the only one."""
    total = len(question.inputs)
    for number, single in enumerate(question.inputs):
        try:
            yield single, replace(_read(question, method, single.given), name=single.name)
        except InputError as error:
            if total == 1:
                raise
            failed[single.name] = str(error)
        if told and question.progress is not None:
            question.progress(number + 1, total)


def _read(question: _Question, method: Method | None, given: Any) -> Sample:
    options = vars(question.reading) | {}
    options.pop("usual_fill")
    return prepare(question.model, given, method or get("lime"), **options)


def _clusters(question: _Question, method: Method, count: int, layer: str | None) -> Clusters:
    """Go through all inputs once for what the layer holds over their pieces.

    Raises:
        UsageError: the pieces have names of their own already.
    """
    at, vectors = "", []
    for _, sample in _samples(question, method, {}, told=False):
        if sample.features.identities is not None:
            raise UsageError(f"the features of {sample.name!r} have names of their own; drop --clusters")
        at = at or (question.model.layer(layer).name if layer else clustering.usual_layer(question.model))
        vectors.append(clustering.piece_vectors(question.model, sample, at))
    return clustering.cluster(vectors, at, count, question.reading.seed)


def _targets(model: Model, targets: Sequence[OneTarget]) -> Sequence[OneTarget]:
    if list(targets) != [EACH_CLASS]:
        return targets
    count = model.names.class_count or 0
    if not 1 <= count <= MOST_CLASSES:
        raise UsageError(f"--target each: the model has {count} classes, expected 1 to {MOST_CLASSES}; name some")
    return list(range(count))


def _global(
    question: _Question, method: GlobalMethod, truth: Sequence[Any] | None, settings: Mapping[str, Any]
) -> Overview:
    completed = method.settings(settings)
    samples = [replace(_read(question, None, single.given), name=single.name) for single in question.inputs]
    columns = columns_of(question.model, samples)
    data = DataSet(
        columns, _of_data(question, samples), truth, question.reading.seed, question.batch_size, question.progress,
        _meta(question, {}),
    )  # fmt: skip
    notes = dict.fromkeys(note for sample in samples for note in sample.notes)
    return Overview(tuple(method.function(data, **completed)), None, {}, tuple(notes))


def _answers(question: _Question, truth: Sequence[Any] | str | None) -> Sequence[Any] | None:
    """Find the right answers: those given, or a column of the rows.

    Raises:
        InputError: the rows have no such column, or there is not one for each input.
    """
    if isinstance(truth, str):
        rows = [single.given for single in question.inputs]
        cells = [row[0] if isinstance(row, list) and row else row for row in rows]
        known = list(cells[0]) if isinstance(cells[0], Mapping) else []
        if any(not isinstance(cell, Mapping) or truth not in cell for cell in cells):
            raise unknown("column of right answers", truth, known, "expected a column of the table, or a file")
        truth = [cell[truth] for cell in cells]
    if truth is not None and len(truth) != len(question.inputs):
        raise InputError(f"{len(truth)} right answers for {len(question.inputs)} inputs: expected one for each")
    return truth


def _of_data(question: _Question, samples: Sequence[Sample]) -> tuple[Target, ...]:
    """Resolve the targets for all samples together; by default the class that most of them have on top."""
    model = question.model
    if list(question.targets) == [None]:
        tops = [predict(model, sample, 1)[0].index for sample in samples]
        return (model.names.class_target(int(np.bincount(tops).argmax())),)
    return tuple(asked(model, samples[0], item).target for item in _targets(model, question.targets))


def _meta(question: _Question, more: Mapping[str, Any]) -> dict[str, Any]:
    model = question.model
    head = {
        "model": model.name,
        "model_sha256": model.sha256,
        "seed": question.reading.seed,
        "versions": dict(versions()),
    }
    return {**head, **more}

"""Samples whose features are entries of the same inputs, so that one can take over what another has.

That is how a data set is asked about as a whole: a feature is given other samples' values, everything else stays, and
the model is run again. Which inputs the entries lie in, of which type, how many to a feature: all the same here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.sweep import Progress, usual_batch
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample
from agnostic.summary.tally import numbers_of

Indices = npt.NDArray[np.intp]


class Swap(NamedTuple):
    """Rows in which one feature each takes another row's value: (n,) each."""

    rows: Indices
    features: Indices
    donors: Indices


@dataclass(frozen=True)
class Columns:
    """A data set of samples with the same features.

    Attributes:
        model: the model.
        identities: (F) what the features are called.
        labels: (D,) the feature of every entry of the inputs that hold them, one after another.
        arrays: those inputs, (n, ...) each.
        others: what else the model eats, (1, ...) each.
        values: (n, F) what each feature is, NaN where it is no number.
        words: (n, F) the same as a person reads it.
    """

    model: Model
    identities: tuple[str, ...]
    labels: npt.NDArray[np.int32]
    arrays: Mapping[str, Array]
    others: Mapping[str, Array]
    values: Floats
    words: npt.NDArray[np.object_]

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.values)

    def at(self, name: str) -> int:
        """Find a feature by its name.

        Raises:
            UsageError: there is none; the nearest are offered.
        """
        from agnostic.errors import unknown

        if name not in self.identities:
            raise unknown("feature", name, self.identities)
        return self.identities.index(name)

    def swapped(self, swap: Swap) -> dict[str, Array]:
        """Make rows in which features take other rows' values: by input name (n, ...)."""
        made, start = {}, 0
        for name, values in self.arrays.items():
            flat = values.reshape(len(values), -1)
            labels = self.labels[start : start + flat.shape[1]]
            mine = labels[None] == swap.features[:, None]
            rows = np.where(mine, flat[swap.donors], flat[swap.rows])
            made[name] = rows.reshape(len(rows), *values.shape[1:])
            start += flat.shape[1]
        return made

    def scores(
        self,
        targets: Sequence[Target],
        count: int,
        swaps: Callable[[int, int], Swap],
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Iterator[tuple[int, int, Floats]]:
        """Score `count` changed rows batch by batch: start, stop and (stop - start, targets).

        Args:
            targets: what to read off.
            count: how many.
            swaps: `swaps(start, stop)` says which rows these are.
            batch_size: rows per run.
            progress: called with (done, count).
        """
        size = batch_size or usual_batch(self.arrays, self.arrays)
        for start in range(0, count, size):
            if (deadline := current()) is not None:
                deadline.check()
            stop = min(start + size, count)
            rows = self.swapped(swaps(start, stop))
            feeds = {**self._repeated(stop - start), **rows}
            yield start, stop, self.model.score_feeds(feeds, targets)
            if progress is not None:
                progress(stop, count)

    def _repeated(self, count: int) -> dict[str, Array]:
        batched = self.model.batched_inputs
        return {
            name: np.repeat(value, count, axis=0) if name in batched else value for name, value in self.others.items()
        }


def columns_of(model: Model, samples: Sequence[Sample]) -> Columns:
    """Put samples together.

    Raises:
        UsageError: there are fewer than two, or their features are no entries of the inputs that all of them have.
    """
    if len(samples) < 2:
        raise UsageError(f"a data set of {len(samples)} input says nothing of others: give two or more")
    first = samples[0]
    features, names = first.features, list(first.features.inputs)
    entries = sum(first.arrays[name][0].size for name in names)
    identities = features.identities
    alike = all(
        sample.features.identities == identities and np.array_equal(sample.features.labels, features.labels)
        for sample in samples
    )
    if identities is None or not alike or features.labels.size != entries:
        raise UsageError(
            f"{first.name!r} has no columns that other inputs have too: this is for tables and arrays; "
            "take lime, normlime or kernelshap"
        )
    others = {name: value for name, value in first.arrays.items() if name not in names}
    return Columns(
        model,
        identities,
        features.labels.ravel(),
        {name: np.concatenate([sample.arrays[name] for sample in samples]) for name in names},
        others,
        np.stack([numbers_of(sample) for sample in samples]),
        np.array([_words(sample) for sample in samples], dtype=object),
    )


def _words(sample: Sample) -> list[str]:
    shown = sample.shown.get("values")
    return list(map(str, shown)) if shown is not None else [f"{value:.6g}" for value in numbers_of(sample)]

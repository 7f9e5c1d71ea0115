"""Priors: what features are worth over many inputs, in a file that local methods lean on."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.explanation import write_whole
from agnostic.inputs.sample import Sample
from agnostic.summary.clusters import Clusters
from agnostic.summary.record import Summary
from agnostic.summary.tally import average, on_presence

FORMAT = "agnostic.prior.1"
LARGEST_FILE = 2**26
Weights = Mapping[str, Mapping[str, float]]

# Which of the two kinds of weights a method leans on.
KINDS = {"lime_prior": "presence"}


@dataclass(frozen=True)
class Prior:
    """Weights by target, then identity; the target "" stands for any.

    Attributes:
        average: the means of the weights that features had.
        presence: the slopes of one regression of the score over which features occur; empty where all always do.
        clusters: what names the pieces of pictures; None for features that have names of their own.
        meta: where it comes from.
    """

    average: Weights
    presence: Weights
    clusters: Clusters | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def weights(self, method: str) -> Mapping[str, Any]:
        """What a method leans on.

        Raises:
            UsageError: it leans on which features occur, and in the data set all always do.
        """
        found: Weights = getattr(self, KINDS.get(method, "average"))
        if not any(found.values()):
            raise UsageError(
                f"{method} leans on which features occur in an input, and all always do in this data set: take glime"
            )
        return found[""] if set(found) == {""} else found

    def named(self, model: Model, sample: Sample) -> Sample:
        """Give the pieces of a picture the names that the prior knows; other samples are handed back."""
        return sample if self.clusters is None else self.clusters.named(model, sample)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON; an existing file is replaced whole.

        Raises:
            LimitError: the file cannot be written.
        """
        clusters = None
        if self.clusters is not None:
            centres = np.round(self.clusters.centres.astype(np.float64), 6).tolist()
            clusters = {"layer": self.clusters.layer, "centres": centres}
        record = {
            "format": FORMAT,
            "average": {key: dict(value) for key, value in self.average.items()},
            "presence": {key: dict(value) for key, value in self.presence.items()},
            "clusters": clusters,
            "meta": dict(self.meta),
        }
        write_whole(Path(path), json.dumps(record, ensure_ascii=False, sort_keys=True).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Prior":
        """Read what `save` wrote, or a plain mapping of identities to weights.

        Raises:
            InputError: the file is missing, too large, or holds something else.
        """
        record = _read(Path(path))
        if record.get("format") != FORMAT:
            plain = record if all(isinstance(value, dict) for value in record.values()) else {"": record}
            return cls(_checked(plain, path), _checked(plain, path))
        try:
            held = record["clusters"]
            clusters = None if held is None else Clusters(str(held["layer"]), _centres(held["centres"]))
            return cls(
                _checked(record["average"], path), _checked(record["presence"], path), clusters, dict(record["meta"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: a prior with something missing or wrong in it: {error}") from error


def prior_of(summaries: Sequence[Summary], clusters: Clusters | None = None) -> Prior:
    """Make a prior of the summaries of one method, one for each target."""
    meta = {key: value for key, value in summaries[0].meta.items() if key in ("model", "model_sha256", "seed")}
    return Prior(
        {item.target: average(item) for item in summaries},
        {item.target: on_presence(item) for item in summaries},
        clusters,
        {**meta, "method": summaries[0].method, "samples": len(summaries[0].meta["samples"])},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"{path}: larger than {LARGEST_FILE >> 20} MB; a prior is smaller")
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {(error.strerror or '').lower()}; expected a prior") from error
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not JSON; expected a prior as `agnostic summarize` writes it") from None
    if not isinstance(record, dict):
        raise InputError(f"{path}: expected weights by name, as `agnostic summarize` writes them")
    return record


def _checked(given: Any, path: Any) -> Weights:
    """Take weights by target and identity.

    Raises:
        InputError: they are none.
    """
    for target, weights in given.items():
        if not isinstance(weights, dict):
            raise InputError(f"{path}: what it holds for {target!r} is {weights!r}; expected weights by name")
        for name, weight in weights.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not np.isfinite(weight):
                raise InputError(f"{path}: the weight of {name!r} for {target!r} is {weight!r}; expected a number")
    checked: Weights = given
    return checked


def _centres(given: Any) -> Any:
    centres = np.asarray(given, np.float32)
    if centres.ndim != 2 or not np.isfinite(centres).all():
        raise ValueError("the centres of the clusters are no rows of numbers")
    return centres

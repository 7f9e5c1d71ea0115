"""Explanation: the frozen record of one answer. It saves, reloads equal, and draws itself."""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError, missing_extra
from agnostic.files import write_whole as write_whole  # other rooms ask for it here

if TYPE_CHECKING:
    from PIL.Image import Image

FORMAT = "agnostic.explanation.1"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model gave a score to a target.

    Attributes:
        values: float32, shaped like what is explained: (H, W) for a picture, (D,) for a vector.
        base_value: the score that the values start from, where the method defines one (NaN otherwise).
        target: what was explained, as a person calls it.
        method: the method's name.
        meta: everything needed to repeat it: settings, seed, model and its sha256, score, probability, evaluations,
            seconds, versions, parity on this input and on a random one, and the method's own figures (fit, samples,
            ...). Plain JSON values.
        picture: (h, w, 3) uint8, what a person saw; None for other inputs.
        segments: (H, W) int32 features, where the method scored features; None otherwise.
        weights: (S,) float32, one per feature; None otherwise.
        data: (C, H, W) or (D,) float32, the explained input as the model ate it.
        detail: float32, shaped like the tensor it was attributed to, before channels were summed; None where values
            say all.
    """

    values: Floats
    base_value: float
    target: str
    method: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    picture: npt.NDArray[np.uint8] | None = None
    segments: npt.NDArray[np.int32] | None = None
    weights: Floats | None = None
    data: Floats | None = None
    detail: Floats | None = None

    def __post_init__(self) -> None:
        """Take a copy of the record and read-only views of the arrays, so that nobody changes them by accident."""
        object.__setattr__(self, "meta", dict(self.meta))
        for name, value in self._arrays().items():
            if name != "base_value":
                view = np.asarray(value).view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __eq__(self, other: object) -> bool:
        """Equal arrays, bit for bit, and equal records."""
        if not isinstance(other, Explanation):
            return NotImplemented
        mine, theirs = self._arrays(), other._arrays()
        return (
            json.dumps(self._header(), sort_keys=True) == json.dumps(other._header(), sort_keys=True)
            and mine.keys() == theirs.keys()
            and all(np.array_equal(mine[name], theirs[name], equal_nan=True) for name in mine)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Name method, target and size."""
        size = " x ".join(map(str, self.values.shape))
        return f"Explanation({self.method} of {self.target!r}: {size} values)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file with the record as JSON in its header; an existing file is replaced whole.

        Raises:
            LimitError: the file cannot be written.
        """
        from safetensors.numpy import save

        # A 0-d array keeps a NaN base value, which JSON cannot hold.
        arrays = {name: np.ascontiguousarray(value) for name, value in self._arrays().items()}
        # One key: safetensors writes several in an order that changes from run to run.
        write_whole(Path(path), save(arrays, {FORMAT: json.dumps(self._header(), sort_keys=True)}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Explanation":
        """Read what `save` wrote.

        Raises:
            InputError: the file is missing or is no such record.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                header = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            if FORMAT not in header:
                found = ", ".join(sorted(header)) or "no header"
                raise InputError(f"{path}: no explanation written by this package (expected {FORMAT}, found {found})")
            record = json.loads(header[FORMAT])
            return cls(base_value=arrays.pop("base_value").item(), **record, **arrays)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: cannot be read as an explanation: {str(error).splitlines()[0]}") from error

    def figure(self, *, dark: bool = False) -> "Image":
        """Draw the explanation: the input and what each of its pieces counts for.

        Raises:
            UsageError: there is no way to draw it, as for a plain array.
        """
        from agnostic.gallery import figure

        return figure([self], dark=dark)

    def to_shap(self) -> Any:
        """Give the record as a `shap.Explanation`, which shap's plots read.

        Raises:
            UsageError: shap is not installed.
        """
        try:
            from shap import Explanation as ShapExplanation
        except ImportError:
            raise missing_extra("shap", "shap", "to_shap()") from None
        values = self.values if self.weights is None else self.weights
        data = self.data if self.data is not None and self.data.shape == values.shape else None
        names = self.meta.get("feature_names") if values.ndim == 1 else None
        return ShapExplanation(values=values, base_values=self.base_value, data=data, feature_names=names)

    def _repr_png_(self) -> bytes | None:
        from agnostic.gallery import is_drawn

        if not is_drawn(self):
            return None
        buffer = io.BytesIO()
        self.figure().save(buffer, "PNG")
        return buffer.getvalue()

    def _repr_html_(self) -> str | None:
        from html import escape

        from agnostic.gallery import is_drawn

        if is_drawn(self):
            # Notebooks show HTML rather than a PNG, and a figure is worth more than its table.
            return None
        rows = [("method", self.method), ("target", self.target), ("base value", f"{self.base_value:.4g}")]
        rows += [
            (name, self.meta[name]) for name in ("score", "probability", "evaluations", "seconds") if name in self.meta
        ]
        scores = (self.values if self.weights is None else self.weights).ravel()
        names = self.meta.get("feature_names") or [f"feature {i}" for i in range(scores.size)]
        rows += [(names[i], f"{scores[i]:+.4g}") for i in np.argsort(-np.abs(scores), kind="stable")[:10]]
        cells = "".join(f"<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>" for name, value in rows)
        return f"<table>{cells}</table>"

    def _header(self) -> dict[str, Any]:
        return {"target": self.target, "method": self.method, "meta": dict(self.meta)}

    def _arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        optional = {
            "picture": self.picture,
            "segments": self.segments,
            "weights": self.weights,
            "data": self.data,
            "detail": self.detail,
        }
        given = {name: value for name, value in optional.items() if value is not None}
        return {"values": self.values, "base_value": np.asarray(self.base_value, np.float64), **given}

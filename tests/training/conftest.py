"""Small runs whose answers are known, and the real digits of the experiment."""

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agnostic.training.recorder import Recorder
from agnostic.training.run import Run, open_run

Write = Callable[..., Run]


@pytest.fixture(scope="session")
def cnn() -> SimpleNamespace:
    """What `tests/benchmarks/digits_cnn.py` defines."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "digits_cnn.py")))


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Record epochs in which samples have the given classes predicted, by a margin each."""

    def written(predicted: Sequence[Sequence[int]], labels: Sequence[int], classes: int = 3, **options: Any) -> Run:
        folder = tmp_path / str(options.pop("name", "run"))
        margin = options.pop("margin", 2.0)
        with Recorder(folder, len(labels), classes) as recorder:
            for row in predicted:
                seen = [at for at, guess in enumerate(row) if guess >= 0]
                logits = margin * np.eye(classes)[[row[at] for at in seen]]
                recorder.epoch(seen, logits, np.asarray(labels)[seen])
        return open_run(folder)

    return written

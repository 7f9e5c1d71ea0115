"""KernelSHAP of table rows beside the package `shap`, at equal samples on the same model.

Run ``python tests/benchmarks/bench_rows.py``. Both explain the twenty rows of the embedded breast-cancer sample with
its fifty rows of background, and ask about as many coalitions (shap's own default, 2,108). They take turns row by row,
so that whatever else the machine does slows both. shap asks a bare onnxruntime session, a whole explanation in one
batch, as it does by itself; the floor is that session on as many rows, in batches of 4,096.
"""

import argparse
import csv
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from bench_methods import machine
from floor import Cost, now

import agnostic
from agnostic import models
from agnostic.converters import surgery
from agnostic.engine.model import Model

MODELS = ("breast-cancer", "breast-cancer-trees")
SAMPLES, BATCH = 2108, 4096


def main() -> None:
    """Print the machine, the command and a row for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20, help="rows to explain (20)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # the peer's own
    print(f"$ python {' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}\n{machine()}\n")
    print(f"{'':22}{'passes':>9}{'ours / shap':>22}{'ours / floor':>22}{'shap / floor':>22}")
    print(f"{'':31}{'CPU':>11}{'wall':>11}" + f"{'CPU':>11}{'wall':>11}" * 2)
    rows, background = (read(name) for name in ("breast_cancer", "breast_cancer_background"))
    for name in MODELS:
        print_race(name, rows[: arguments.rows], background)


def print_race(name: str, rows: np.ndarray, background: np.ndarray) -> None:
    """Race both on every row, with the floor between them, and print the medians of the rows' ratios."""
    model = agnostic.load(name, device="cpu")
    scores = bare(model)
    contenders = [ours(model, background), theirs(scores, background), floor(scores, background)]
    for contender in contenders:
        contender(rows[0])
    spent: list[list[Cost]] = [[] for _ in contenders]
    for row in rows:
        for contender, costs in zip(contenders, spent, strict=True):
            start = now()
            contender(row)
            costs.append(now().since(start))
    own, shap, bottom = spent
    shown = [ratio(a, b) for a, b in ((own, shap), (own, bottom), (shap, bottom))]
    print(f"{name:22}{SAMPLES * len(background):9}" + "".join(f"{cost.cpu:11.2f}{cost.wall:11.2f}" for cost in shown))


def ratio(a: list[Cost], b: list[Cost]) -> Cost:
    """The median over the rows of one cost over another."""
    each = [x.per(y) for x, y in zip(a, b, strict=True)]
    return Cost(median(item.cpu for item in each), median(item.wall for item in each))


def bare(model: Model) -> Callable[[np.ndarray], np.ndarray]:
    """A session of the graph cut down to the scores, asked for the second class."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    graph = surgery.expose(model.proto, (model.scores_tensor,), only=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"row": np.asarray(x, np.float32)})[0][:, 1]


def ours(model: Model, background: np.ndarray) -> Callable[[np.ndarray], None]:
    """A whole call, from the row to the finished record."""

    def explain(row: np.ndarray) -> None:
        agnostic.explain(model, row, "kernelshap", 1, background=background, samples=SAMPLES)

    return explain


def theirs(scores: Callable[[np.ndarray], np.ndarray], background: np.ndarray) -> Callable[[np.ndarray], None]:
    """A call of shap's explainer, made beforehand; without its selection of features, which would give other values."""
    import shap

    explainer = shap.KernelExplainer(scores, background)

    def explain(row: np.ndarray) -> None:
        explainer.shap_values(row, nsamples=SAMPLES, l1_reg=False, silent=True)

    return explain


def floor(scores: Callable[[np.ndarray], np.ndarray], background: np.ndarray) -> Callable[[np.ndarray], None]:
    """As many rows through the session, and nothing else."""
    batch = np.resize(background.astype(np.float32), (BATCH, background.shape[1]))
    whole, rest = divmod(SAMPLES * len(background), BATCH)

    def run(_row: np.ndarray) -> None:
        for _ in range(whole):
            scores(batch)
        scores(batch[:rest])

    return run


def read(name: str) -> np.ndarray:
    """The numbers of an embedded sample: (rows, 30)."""
    with models.sample(name).open(encoding="utf-8") as file:
        return np.array([[float(cell) for cell in line[:30]] for line in list(csv.reader(file))[1:]])


if __name__ == "__main__":
    main()

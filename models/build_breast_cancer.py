"""Trains breast-cancer.onnx: a small perceptron that tells malignant from benign tumours by thirty measurements.

It eats the measurements as they are; their means and deviations are part of the graph. Beside it, `samples/` gets
twenty rows that it has not learnt from, and fifty that it has, as background.

Run: python -m agnostic.models.build_breast_cancer   (needs torch and scikit-learn; a few seconds)
"""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from agnostic.models.graph import GraphWriter, describe, to_bytes

HIDDEN = 16
EPOCHS, BATCH = 200, 64
HELD_OUT, SHOWN, BACKGROUND = 143, 20, 50
LABELS = ["benign", "malignant"]
CREDIT = (
    "Breast Cancer Wisconsin (Diagnostic), W. Wolberg, O. Mangasarian, N. Street and W. Street, UCI Machine Learning "
    "Repository, CC BY 4.0, as scikit-learn ships it."
)
DOC = f"A perceptron of {HIDDEN} hidden units on thirty measurements of cell nuclei. Data: {CREDIT}"

Doubles = NDArray[np.float64]


class Rows(NamedTuple):
    """Measurements (n, 30) in their own units, and what each tumour was (n,): 0 benign, 1 malignant."""

    x: Doubles
    y: NDArray[np.int64]


def read_rows() -> tuple[Rows, Rows, list[str]]:
    """Read the rows to learn from, those held out, and the names of the columns."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.data))
    parts = [Rows(data.data[rows], 1 - data.target[rows]) for rows in (order[HELD_OUT:], order[:HELD_OUT])]
    return parts[0], parts[1], [str(name) for name in data.feature_names]


def table(rows: Rows, names: Sequence[str]) -> dict[str, Any]:
    """Declare the columns, the value of each where it is off (its median), and the ten measurements they are of."""
    medians = np.median(rows.x, axis=0)
    columns = [{"name": name, "type": "number", "off": float(off)} for name, off in zip(names, medians, strict=True)]
    groups: dict[str, list[str]] = {}
    for name in names:
        measured = name.removeprefix("mean ").removeprefix("worst ").removesuffix(" error")
        groups.setdefault(measured, []).append(name)
    return {"columns": columns, "groups": groups}


def train(rows: Rows) -> nn.Sequential:
    """Train from seed 0; in float64, so that another processor's rounding does not show."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(30, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, len(LABELS))).double()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2, weight_decay=0.05)
    x, y = torch.tensor((rows.x - rows.x.mean(axis=0)) / rows.x.std(axis=0)), torch.tensor(rows.y)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(len(x)), BATCH):
            loss = nn.functional.cross_entropy(network(x[chosen]), y[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network


def write(network: nn.Sequential, rows: Rows, names: Sequence[str]) -> onnx.ModelProto:
    """Write the trained network as ONNX, with the scaling of its inputs in front."""
    state = {name: value.detach().numpy().astype(np.float32) for name, value in network.state_dict().items()}
    graph = GraphWriter()
    moved = graph.op("Sub", ["row", graph.weight("mean", rows.x.mean(axis=0).astype(np.float32))], "scaled/moved")
    scaled = graph.op("Div", [moved, graph.weight("deviation", rows.x.std(axis=0).astype(np.float32))], "scaled")
    before = graph.linear("Gemm", scaled, "hidden", state["0.weight"], state["0.bias"], "hidden/pre", transB=1)
    hidden = graph.op("Relu", [before], "hidden")
    graph.linear("Gemm", hidden, "logits", state["2.weight"], state["2.bias"], "logits", transB=1)
    model = graph.model("breast-cancer", {"row": ["n", 30]}, {"logits": ["n", len(LABELS)]})
    return describe(model, DOC, None, LABELS, table=table(rows, names))


def write_samples(folder: Path) -> None:
    """Write the rows that are shown, with what each tumour was, and the background."""
    learnt, held_out, names = read_rows()
    shown = [
        [*map(repr, row.tolist()), LABELS[label]]
        for row, label in zip(held_out.x[:SHOWN], held_out.y[:SHOWN], strict=True)
    ]
    _write_csv(folder / "breast_cancer.csv", [[*names, "diagnosis"], *shown])
    _write_csv(folder / "breast_cancer_background.csv", [names, *learnt.x[:BACKGROUND].tolist()])


def _write_csv(path: Path, lines: Sequence[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)


def main() -> None:
    """Train the network, write file and samples beside this module and print how good it is."""
    learnt, held_out, names = read_rows()
    network, here = train(learnt), Path(__file__).parent
    (here / "breast-cancer.onnx").write_bytes(to_bytes(write(network, learnt, names)))
    (here / "samples").mkdir(exist_ok=True)
    write_samples(here / "samples")
    scaled = torch.tensor((held_out.x - learnt.x.mean(axis=0)) / learnt.x.std(axis=0))
    right = network(scaled).argmax(1).numpy() == held_out.y
    print(json.dumps({"rows": len(right), "accuracy": round(float(right.mean()), 3)}))


if __name__ == "__main__":
    main()

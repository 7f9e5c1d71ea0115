"""Trains breast-cancer-trees.onnx: boosted trees on the measurements that breast-cancer.onnx eats.

Written by onnxmltools as users' own files are: one operator, TreeEnsembleClassifier, and no gradient anywhere.

Run: python -m agnostic.models.build_breast_cancer_trees   (needs lightgbm, onnxmltools and scikit-learn; seconds)
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx

from agnostic.models.build_breast_cancer import CREDIT, LABELS, Rows, read_rows, table
from agnostic.models.graph import IR_VERSION, describe, to_bytes

TREES, LEAVES = 60, 8
DOC = f"{TREES} boosted trees (Ke et al., LightGBM, NeurIPS 2017) on thirty measurements of cell nuclei. Data: {CREDIT}"


def train(rows: Rows) -> Any:
    """Train from seed 0 on one thread: the same trees each time."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=TREES, num_leaves=LEAVES, min_child_samples=10, random_state=0, n_jobs=1, verbose=-1,
        deterministic=True, force_row_wise=True,
    ).fit(rows.x, rows.y)  # fmt: skip


def write(trees: Any, rows: Rows, names: Sequence[str]) -> onnx.ModelProto:
    """Write the trees as ONNX: row (n, 30) to label (n,) and probabilities (n, 2)."""
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = convert_lightgbm(
        trees, name="breast-cancer-trees", initial_types=[("row", FloatTensorType([None, rows.x.shape[1]]))],
        target_opset=15, zipmap=False,
    )  # fmt: skip
    model.ir_version = IR_VERSION
    return describe(model, DOC, None, LABELS, table=table(rows, names))


def main() -> None:
    """Train the trees, write the file beside this module and print how good it is."""
    learnt, held_out, names = read_rows()
    trees = train(learnt)
    Path(__file__).with_name("breast-cancer-trees.onnx").write_bytes(to_bytes(write(trees, learnt, names)))
    right = trees.predict(held_out.x) == held_out.y
    print(json.dumps({"rows": len(right), "accuracy": round(float(right.mean()), 3)}))


if __name__ == "__main__":
    main()

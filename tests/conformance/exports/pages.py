"""The page of real exports: what was promised, what came of it, one row per case."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Verdicts = Mapping[str, Mapping[str, Mapping[str, Any]]]

_PAGE = """# Real exports through the torch re-import

`python tests/conformance/run_exports.py` makes every model below, imports the file with `to_torch`, and compares.

- Weights are random and moved as training moves them: no parameter is constant, batch norms have seen data.
- *float32*: the re-import against onnxruntime on the file; *value* and *gradient*: the re-import in float64 against the
  **original** model in float64, the gradient by the float input or, where the inputs are tokens, by the embedding's
  output under its ONNX name. Each is the largest difference as a share of the largest magnitude, over the two batch
  sizes of the row.
- *right*: float32 and value below 1e-4 (float32 of float16 answers: 1e-3, two of their steps), gradient below 1e-5.
  *refused*: the importer, or the check before a gradient is taken, said by name what stands in the way. *not exported*:
  the exporter gave up, or wrote a file that no runtime can run.
- What is left in *value* and *gradient* of convolutional nets is the exporter's, which folds batch norms into float32
  weights: on the ResNet-50 whose value moves most, by 1e-5, onnx.reference in float64 and the re-import agree to 5e-14.
- Integer models run in onnxruntime without fusions, which round elsewhere, and their weights have 7 bits, as its 8-bit
  kernels saturate on some CPUs. Their straight-through gradients are held to the graph with every rounding replaced by
  what it does at these values. Averages of quantised values fall exactly between two steps; there float32 decides, and
  two right answers may be one step apart, so these nets pool by maximum.

{summary}

{sections}
Versions: {versions}.
"""
_TITLES = {
    "originals": "Architectures, both torch exporters",
    "deployed": "Optimised, fused, quantised, float16",
    "keras": "Keras",
    "tables": "Tables",
    "probes": "Probes",
}
_HEAD = (
    "| case | exporter | opset | nodes | batches | float32 | value | gradient | seconds | verdict |\n"
    + "|---" * 10
    + "|"
)


def write(verdicts: Verdicts, target: Path, versions: Mapping[str, str]) -> None:
    """Write the page."""
    sections = "\n".join(_section(family, rows) for family, rows in verdicts.items())
    listed = ", ".join(f"{package} {number}" for package, number in versions.items())
    target.write_text(_PAGE.format(summary=summary(verdicts), sections=sections, versions=listed))


def summary(verdicts: Verdicts) -> str:
    """Count the verdicts of every family."""
    lines = ["| suite | cases | right | refused by name | not exported | wrong |", "|---|---|---|---|---|---|"]
    for family, rows in verdicts.items():
        kinds = [_kind(row["verdict"]) for row in rows.values()]
        counts = " | ".join(str(kinds.count(kind)) for kind in ("right", "refused", "not exported", "wrong"))
        lines.append(f"| {_TITLES[family]} | {len(kinds)} | {counts} |")
    return "\n".join(lines)


def _kind(verdict: str) -> str:
    return verdict.split(":")[0] if verdict.split(":")[0] in ("right", "refused", "not exported") else "wrong"


def _section(family: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    notes = [f"- {case}: {row['note']}" for case, row in rows.items() if row["note"]]
    lines = [f"## {_TITLES[family]}", "", _HEAD, *(_row(case, row) for case, row in rows.items())]
    return "\n".join([*lines, "", *_unique(notes), ""])


def _row(case: str, row: Mapping[str, Any]) -> str:
    name = case.removesuffix(f" {row['exporter']}")
    differences = [_number(row[key]) for key in ("forward", "value", "gradient")]
    batches = ", ".join(map(str, row["batches"]))
    cells = [name, row["exporter"], row["opset"] or "-", row["nodes"] or "-", batches or "-", *differences]
    return "| " + " | ".join(map(str, [*cells, f"{row['seconds']:.1f}", row["verdict"].replace("|", "\\|")])) + " |"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else "0" if value == 0 else f"{value:.0e}"


def _unique(notes: list[str]) -> list[str]:
    """Say once what holds for both exporters."""
    shared = [note.replace(" dynamo:", ":").replace(" legacy:", ":") for note in notes]
    both = {note for note in shared if shared.count(note) > 1}
    return list(dict.fromkeys(short if short in both else note for note, short in zip(notes, shared, strict=True)))

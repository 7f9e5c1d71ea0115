"""The conformance table, and the page that lists every case not passed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_HEAD = "| row | cases | imported | outputs match | gradient due | gradient right |\n|---|---|---|---|---|---|"
_PAGE = """# Conformance of the torch re-import

`python tests/conformance/run.py` runs the backend suite inside the `onnx` package through `to_torch`.

- *imported*: the module was built. *outputs match*: shape, type and values, by the suite's own rule and tolerances.
- *gradient due*: some float input, moved along a random direction in float64, changes a random weighting of the float
  outputs smoothly, as central differences of onnxruntime (or of onnx.reference where it cannot run the model) tell.
  *gradient right*: the re-import in float64 gives the same derivative for every float input.
- Rows of the total: {rows}. Apart: 8- and 4-bit types (lowp), ai.onnx.ml, cases of chance (random: shape and type are
  compared), and sequences, optionals and text (nontensor).

{table}

## Cases not passed

{listed}
"""


def write(verdicts: Sequence[Any], target: Path | None, rows: Sequence[str]) -> str:
    """Return the table; write the page where a target is given."""
    present = list(dict.fromkeys(v.row for v in verdicts))
    order = [r for r in rows if r in present] + [r for r in present if r not in rows]
    lines = [_line(row, [v for v in verdicts if v.row == row]) for row in order]
    lines.append(_line("**tensor rows**", [v for v in verdicts if v.row in rows]))
    table = "\n".join([_HEAD, *lines])
    if target is not None:
        failed = [v for v in verdicts if v.reason]
        listed = "\n".join(f"- `{v.name}` ({v.row}): {_escaped(v.reason)}" for v in failed) or "None."
        target.parent.mkdir(exist_ok=True)
        target.write_text(_PAGE.format(table=table, listed=listed, rows=", ".join(rows)))
    return table


def _line(row: str, verdicts: Sequence[Any]) -> str:
    n, due = len(verdicts), sum(v.due for v in verdicts)
    imported, matched, right = (sum(getattr(v, key) for v in verdicts) for key in ("imported", "matched", "right"))
    return f"| {row} | {n} | {_share(imported, n)} | {_share(matched, n)} | {due} | {_share(right, due)} |"


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.1f} %)" if total else "-"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")

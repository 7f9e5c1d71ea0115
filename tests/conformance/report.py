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
- Not judged: {open_cases} tensor cases with a float input, as neither judge computes the expected outputs in float64.
  The light nets have constant weights, so that their gradients are zero.
- Rows of the total: {rows}. Apart: 8- and 4-bit types (lowp), ai.onnx.ml, cases of chance (random: shape and type are
  compared), and sequences, optionals and text (nontensor).

{table}

## Cases not passed

{listed}
"""


# What lies behind the cases that are known not to pass, by the beginning of their names.
_KNOWN = {
    "test_image_decoder": "decoding picture files is not the business of a differentiable model; refused by name",
    "test_attention_4d_causal_fp16": "one unit in the last place: rounded once at the end, not at every node",
    "test_dft_inverse": "the stored imaginary parts are rounding noise of 2e-7 where ours are exactly zero",
    "test_resize_tf_crop": "the values match; the gradient by the region of interest, not by the picture, is missing",
    "test_scan_sum": "Scan of opset 8 has a batch axis that later ones lack; refused by name",
    "test_ai_onnx_ml_tree": "decision trees have no gradient; refused by name",
    "test_str": "text has no gradient; refused by name",
    "test_regex": "text has no gradient; refused by name",
    "test_cast_e8m0": "the scale type FLOAT8E8M0 is refused by name",
}


def write(verdicts: Sequence[Any], target: Path | None, rows: Sequence[str]) -> str:
    """Return the table; write the page where a target is given."""
    present = list(dict.fromkeys(v.row for v in verdicts))
    order = [r for r in rows if r in present] + [r for r in present if r not in rows]
    lines = [_line(row, [v for v in verdicts if v.row == row]) for row in order]
    lines.append(_line("**tensor rows**", [v for v in verdicts if v.row in rows]))
    table = "\n".join([_HEAD, *lines])
    if target is not None:
        failed = [v for v in verdicts if v.reason]
        listed = "\n".join(f"- `{v.name}` ({v.row}): {_reason(v)}" for v in failed) or "None."
        target.parent.mkdir(exist_ok=True)
        open_cases = sum(
            v.row in rows and v.row != "light" and v.matched and v.floats and not v.judge for v in verdicts
        )
        page = _PAGE.format(table=table, listed=listed, rows=", ".join(rows), open_cases=open_cases)
        target.write_text(page)
    return table


def _line(row: str, verdicts: Sequence[Any]) -> str:
    n, due = len(verdicts), sum(v.due for v in verdicts)
    imported, matched, right = (sum(getattr(v, key) for v in verdicts) for key in ("imported", "matched", "right"))
    return f"| {row} | {n} | {_share(imported, n)} | {_share(matched, n)} | {due} | {_share(right, due)} |"


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.1f} %)" if total else "-"


def _reason(verdict: Any) -> str:
    known = next((text for start, text in _KNOWN.items() if verdict.name.startswith(start)), None)
    return known or _escaped(verdict.reason)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")

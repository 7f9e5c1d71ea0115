"""Run the ONNX backend suite through the torch re-import and report, per row: imported, outputs match, gradients right.

python tests/conformance/run.py                    all cases, and write docs/conformance.md
python tests/conformance/run.py --only resize      the cases whose name contains a word, each printed
python tests/conformance/run.py --row node --forward
"""

import argparse
import json
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from cases import TENSOR_ROWS, Case, as_numpy, cases
from onnx.backend.test.runner import Runner
from oracle import Question, ask
from report import write

from agnostic.converters.torch_import import OnnxModule, to_torch

SECONDS = 120


class Verdict(NamedTuple):
    """What became of one case: the stage it reached, whether a gradient was due and right, and the reason if not."""

    name: str
    row: str
    imported: bool
    matched: bool
    due: bool
    right: bool
    reason: str
    judge: str
    floats: bool


class LateError(Exception):
    """A case that takes too long."""


def judge(case: Case, gradients: bool) -> Verdict:
    """Take one case through import, forward and gradient."""
    floats = _has_floats(case)
    try:
        module = to_torch(case.model)
    except Exception as error:
        reason = f"not imported: {_line(error)}"
        return Verdict(case.name, case.row, False, False, False, False, reason, "", floats)
    reason = _forward(module, case)
    if not gradients:
        return Verdict(case.name, case.row, True, not reason, False, False, reason, "", floats)
    due, wrong, who = _gradients(case)
    return Verdict(case.name, case.row, True, not reason, due, due and not wrong, reason or wrong, who, floats)


def _has_floats(case: Case) -> bool:
    return any(isinstance(value, np.ndarray) and value.dtype.kind == "f" for value in case.inputs)


def _forward(module: OnnxModule, case: Case) -> str:
    """Compare the outputs as the suite's own runner does; return what is wrong, or nothing."""
    try:
        with torch.no_grad():
            results = module(*map(_tensor, case.inputs))
    except Exception as error:
        return f"fails: {_line(error)}"
    outputs = [results] if len(module.outputs) == 1 else list(results)
    try:
        if case.row == "random":
            _alike(case.outputs, as_numpy(outputs))
        else:
            _compare(case, as_numpy(outputs))
    except (AssertionError, TypeError, AttributeError) as error:
        return f"differs: {_line(error)}"
    return ""


def _compare(case: Case, outputs: list[Any]) -> None:
    expected, found = (list(_items(values)) for values in (case.outputs, outputs))
    Runner.assert_similar_outputs([_comparable(value) for value in expected], found, case.rtol, case.atol)


def _items(values: list[Any]) -> Iterator[Any]:
    """Spread sequences, whose scalars the suite's runner cannot compare, and mark where each ends."""
    for value in values:
        if isinstance(value, list):
            yield from _items(value)
            yield np.array(len(value))
        else:
            yield value


def _comparable(value: Any) -> Any:
    if not isinstance(value, np.ndarray) or value.dtype.isbuiltin == 1 or value.dtype.name == "bfloat16":
        return value
    name = value.dtype.name  # narrower types come back in the type they are computed in
    return value.astype(np.float32 if "float" in name else np.uint8 if name.startswith("u") else np.int8)


def _alike(expected: list[Any], outputs: list[Any]) -> None:
    for a, b in zip(expected, outputs, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, f"{b.dtype}{b.shape} for {a.dtype}{a.shape}"


def _gradients(case: Case) -> tuple[bool, str, str]:
    """Ask the oracle and compare; (due, what is wrong, who judged)."""
    if case.row in ("random", "light"):  # chance has no derivative; the light nets' constant weights make theirs zero
        return False, "", ""
    question = ask(case.model, case.inputs, case.outputs)
    if question is None:
        return False, "", ""
    derivatives = [d for d in question.derivatives if d.value is not None]
    due = any(abs(d.value or 0.0) > 1e-8 for d in derivatives)
    try:
        found = _slopes(to_torch(case.model, dtype=torch.float64), case, question)
    except Exception as error:
        return due, f"gradient fails: {_line(error)}" if due else "", question.judge
    for d in derivatives:
        if not np.isclose(found[d.index], d.value, rtol=1e-3, atol=1e-6):
            return True, f"gradient differs: {found[d.index]:.6g} for {d.value:.6g} (input {d.index})", question.judge
    return due, "", question.judge


def _slopes(module: OnnxModule, case: Case, question: Question) -> dict[int, float]:
    """Differentiate the same weighting along the same directions through the re-import."""
    inputs = [_tensor(value) for value in case.inputs]
    moved = [d.index for d in question.derivatives]
    for index in moved:
        inputs[index] = inputs[index].double().requires_grad_()
    results = module(*inputs)
    outputs = [results] if len(module.outputs) == 1 else list(results)
    total: Any = 0
    for w, y in zip(question.weights, outputs, strict=True):
        if w is not None:
            total = total + (torch.from_numpy(w) * torch.nan_to_num(y, posinf=0, neginf=0)).sum()
    if not isinstance(total, torch.Tensor) or not total.requires_grad:
        return dict.fromkeys(moved, 0.0)
    grads = torch.autograd.grad(total, [inputs[i] for i in moved], allow_unused=True)
    undefined = any(isinstance(y, torch.Tensor) and y.is_floating_point() and bool(y.isnan().any()) for y in outputs)
    along = zip(question.derivatives, grads, strict=True)
    return {d.index: 0.0 if g is None else _along(g, d.direction, undefined) for d, g in along}


def _along(gradient: torch.Tensor, direction: np.ndarray, undefined: bool) -> float:
    """Project; where the outputs themselves hold NaN, so may the gradient, and the oracle leaves these out as well."""
    values = gradient.numpy()
    return float(((np.nan_to_num(values) if undefined else values) * direction).sum())


def _tensor(value: Any) -> Any:
    if isinstance(value, list):
        return [_tensor(item) for item in value]
    if not isinstance(value, np.ndarray | np.generic):
        return value
    array = np.array(value)
    if array.dtype.kind in "OSU":
        return array
    if array.dtype.isbuiltin != 1:
        array = array.astype(np.float32) if array.dtype.name == "bfloat16" else _comparable(array)
    return torch.from_numpy(array)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _timed(case: Case, gradients: bool) -> Verdict:
    def late(*_: Any) -> None:
        raise LateError(f"no answer in {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return judge(case, gradients)
    except LateError as error:
        return Verdict(case.name, case.row, True, False, False, False, str(error), "", _has_floats(case))
    finally:
        signal.alarm(0)


def main() -> None:
    """Judge the chosen cases, print the table, and write the report when nothing was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--row", default="", help="cases of this row")
    parser.add_argument("--forward", action="store_true", help="leave the gradients out")
    parser.add_argument("--json", type=Path, help="also write every verdict to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [c for c in cases() if options.only in c.name and options.row in ("", c.row)]
    start, verdicts = time.monotonic(), []
    for case in chosen:
        verdict = _timed(case, not options.forward)
        verdicts.append(verdict)
        if verdict.reason:
            print(f"{verdict.row:18}{verdict.name}: {verdict.reason}")
    partial = bool(options.only or options.row or options.forward)
    target = None if partial else Path(__file__).parents[2] / "docs" / "conformance.md"
    print(write(verdicts, target, TENSOR_ROWS))
    print(f"{len(verdicts)} cases in {time.monotonic() - start:.0f} s", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps([verdict._asdict() for verdict in verdicts], indent=1))


if __name__ == "__main__":
    main()

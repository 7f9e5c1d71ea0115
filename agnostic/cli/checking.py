"""`agnostic doctor`: is everything there, is it the right thing, and does it run?"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from agnostic import api, models
from agnostic.cli import common
from agnostic.engine.opening import load
from agnostic.engine.runtime import cuda_devices, installed_runtimes, providers
from agnostic.errors import AgnosticError
from agnostic.methods import get
from agnostic.versions import versions

EXTRAS = {"torch": "grad", "shap": "shap", "tokenizers": "text"}


@dataclass(frozen=True)
class Finding:
    """One line of the report: `fix` is empty where all is well."""

    check: str
    result: str
    fix: str = ""


def doctor(*, as_json: bool) -> int:
    """Print the findings; exit status 1 when something needs mending."""
    findings = [_guarded(check) for check in (_versions, _runtimes, _device, _kernels, _prediction)]
    findings += [_extra(package, extra) for package, extra in EXTRAS.items()]
    bad = [item for item in findings if item.fix]
    if as_json:
        common.print_json({"ok": not bad, "findings": [vars(item) for item in findings]})
        return 1 if bad else 0
    rows = common.table("check", "found", "to do")
    for item in findings:
        rows.add_row(item.check, common.plain(item.result), common.plain(item.fix))
    common.stdout().print(rows)
    return 1 if bad else 0


def _guarded(check: Callable[[], Finding]) -> Finding:
    """Turn whatever a check stumbles over into a finding: a doctor reports, it does not fall ill."""
    try:
        return check()
    except Exception as error:
        fix = str(error) if isinstance(error, AgnosticError) else "pip install --force-reinstall agnostic-xai"
        return Finding(check.__name__.strip("_"), f"failed: {type(error).__name__}: {error}", fix)


def _versions() -> Finding:
    return Finding("versions", ", ".join(f"{name} {number}" for name, number in versions().items()))


def _runtimes() -> Finding:
    found = installed_runtimes()
    if len(found) == 1:
        return Finding("onnxruntime", found[0])
    fix = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install --force-reinstall onnxruntime-gpu"
    return Finding("onnxruntime", f"{len(found)} packages: {', '.join(found) or 'none'}", fix)


def _device() -> Finding:
    count, provider = cuda_devices(), providers("auto")[0]
    note = f"{count} CUDA device{'s' * (count != 1)}, runs on {provider.removesuffix('ExecutionProvider')}"
    if count and not provider.startswith("CUDA"):
        return Finding("device", note, "pip install 'agnostic-xai[cuda]'")
    return Finding("device", note)


def _kernels() -> Finding:
    import numpy as np

    from agnostic.kernels.superpixels import slic

    labels: Any = slic(np.zeros((8, 8, 3), np.uint8), segments=4)
    return Finding("kernels", f"compiled; {labels.max() + 1} superpixels on a plain picture")


def _prediction() -> Finding:
    model = load("squeezenet")
    best = api.predict(model, api.prepare(model, models.picture("chelsea"), get("cam")), 1)[0]
    wrong = (
        ""
        if best.name == "Egyptian cat"
        else "the embedded model is damaged: pip install --force-reinstall agnostic-xai"
    )
    return Finding("prediction", f"the cat is a {best.name}, {best.probability or 0:.2f}", wrong)


def _extra(package: str, extra: str) -> Finding:
    there = find_spec(package) is not None
    return Finding(f"extra {extra}", "installed" if there else f"not installed (pip install 'agnostic-xai[{extra}]')")

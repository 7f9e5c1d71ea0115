"""Run real exports through the torch re-import and write docs/exports.md.

    python tests/conformance/run_exports.py                 every case; results are kept and reused until code changes
    python tests/conformance/run_exports.py --only bert     the cases whose name contains a word, without the page
    python tests/conformance/run_exports.py --list

Beside the project's own packages it wants transformers, onnxscript, scikit-learn, skl2onnx, onnxmltools, lightgbm and
xgboost. The Keras models are made by an environment of their own, because TensorFlow pins what torch needs newer:

    TENSORFLOW_PYTHON/bin/python tests/conformance/exports/keras_nets.py CACHE/keras
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "exports"))

import artefact  # noqa: E402
import deployed  # noqa: E402
import keras_nets  # noqa: E402
import originals  # noqa: E402
import pages  # noqa: E402
import probes  # noqa: E402
import tables  # noqa: E402

SECONDS, GIGABYTES = 600, 16
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "agnostic-exports"
FAMILIES = {"originals": originals, "deployed": deployed, "keras": keras_nets, "tables": tables, "probes": probes}
PACKAGES = ("torch", "transformers", "onnx", "onnxruntime-gpu", "onnxscript", "skl2onnx", "onnxmltools")
Verdict = dict[str, Any]


def main() -> None:
    """Judge the chosen cases, one process each, and write the page when nothing was left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--family", default="", choices=["", *FAMILIES], help="cases of this family")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where models and verdicts are kept")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        _work(*options.case.split("/", 1), options.cache)
        return
    chosen = [
        (f, c) for f in FAMILIES for c in _cases(f, options.cache) if options.only in c and options.family in ("", f)
    ]
    if options.list:
        print("\n".join(f"{family:10} {case}" for family, case in chosen))
        return
    verdicts = {family: {} for family in FAMILIES}  # type: dict[str, dict[str, Verdict]]
    for family, case in chosen:
        verdicts[family][case] = verdict = _verdict(family, case, options.cache)
        differences = " ".join(f"{verdict[key]:9.1e}" for key in ("forward", "value", "gradient"))
        print(
            f"{family:10} {case:34} {differences}  {verdict['verdict']}",
            flush=True,
        )
    if not (options.only or options.family):
        pages.write(verdicts, HERE.parents[1] / "docs" / "exports.md", _versions())


def _cases(family: str, cache: Path) -> dict[str, Callable[[], artefact.Artefact]]:
    cases: dict[str, Callable[[], artefact.Artefact]]
    cases = keras_nets.cases(cache / "keras") if family == "keras" else FAMILIES[family].cases()
    return cases


def _verdict(family: str, case: str, cache: Path) -> Verdict:
    """Take the kept verdict where neither model nor importer changed; else ask a process of its own."""
    folder = _folder(family, case, cache)
    kept = folder / f"verdict-{_judging()}.json"
    if not kept.exists():
        failure = _isolated(family, case, cache)
        if failure:  # not kept: a time-out may pass next time
            return {**_NOTHING, "verdict": failure}
    return dict(json.loads(kept.read_text()))


_NOTHING = {
    "exporter": "", "opset": 0, "nodes": 0, "batches": [], "forward": float("nan"), "value": float("nan"),
    "gradient": float("nan"), "seconds": 0.0, "note": "",
}  # fmt: skip


def _isolated(family: str, case: str, cache: Path) -> str:
    """Judge one case in a process with limits; return what went wrong, or nothing."""
    command = [sys.executable, __file__, "--case", f"{family}/{case}", "--cache", str(cache)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, preexec_fn=_limited)
    except subprocess.TimeoutExpired:
        return f"no answer in {SECONDS} s"
    return "" if result.returncode == 0 else f"fails: {result.stderr.strip().splitlines()[-1][:200]}"


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30, GIGABYTES << 30))


def _work(family: str, case: str, cache: Path) -> None:
    """Make the model where it is not kept, judge it, and keep the verdict."""
    import judge
    import torch

    torch.set_num_threads(1)
    folder = _folder(family, case, cache)
    if not (folder / "notes.json").exists():
        artefact.save(_cases(family, cache)[case](), folder)
    verdict = judge.judge(artefact.load(folder))
    (folder / f"verdict-{_judging()}.json").write_text(json.dumps(verdict._asdict()))


def _folder(family: str, case: str, cache: Path) -> Path:
    """Name the folder after everything the model is made from."""
    sources = [HERE / "exports" / name for name in ("artefact.py", *FAMILIES[family].SOURCES)]
    state = _hash(sources, repr(_versions()))
    if family == "keras":
        state = _hash(sorted((cache / "keras" / case).glob("*.*")))
    return cache / family / f"{case.replace(' ', '-')}-{state}"


def _judging() -> str:
    """Hash what judges: the importer and its yardstick."""
    importer = HERE.parents[1] / "converters"
    return _hash(
        [HERE / "exports" / "judge.py", importer / "normalise.py", *sorted((importer / "torch_import").rglob("*.py"))]
    )


def _hash(files: list[Path], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


if __name__ == "__main__":
    main()

"""Runs one framework's converter and asks the source: what happens on either side of a process boundary."""

import importlib
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from agnostic.converters import sources, trials
from agnostic.converters.conversion import Converted, Request
from agnostic.converters.handover import Draft
from agnostic.errors import AgnosticError, ConversionError, UsageError

# The distributions that take part, whichever of them are installed.
_OF = {
    "torch": ("torch", "onnxscript"),
    "keras": ("keras", "tensorflow", "tensorflow-cpu", "tf2onnx", "torch"),
    "tflite": ("tensorflow", "tensorflow-cpu", "tf2onnx"),
    "hugging_face": ("transformers", "torch", "onnxscript"),
    "jax": ("jax", "jax2onnx", "flax"),
    "xgboost": ("xgboost", "onnxmltools"),
    "lightgbm": ("lightgbm", "onnxmltools"),
    "catboost": ("catboost",),
    "sklearn": ("scikit-learn", "skl2onnx"),
    "paddle": ("paddlepaddle", "paddle2onnx"),
}


def draft(framework: str, source: Any, request: Request, seed: int = 0) -> Draft:
    """Convert a source and ask it what it answers.

    Args:
        framework: its name.
        source: an object of the framework, the path of its file, or `FILE.py:NAME`, whose code is run.
        request: what the caller said beside it.
        seed: of the random inputs.

    Raises:
        ConversionError: it cannot be converted.
    """
    entry = sources.get(framework)
    module = importlib.import_module(f"agnostic.converters.{entry.module}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", message=".*(version|unpickle).*", module="sklearn.*")
        found = _converted(entry, module, source, request)
        asked = trials.trials(found, seed)
    notes = (*found.notes, *dict.fromkeys(" ".join(str(item.message).split())[:200] for item in caught))
    return Draft(found.proto, asked, found.facts, _versions(framework), notes)


def _converted(entry: sources.Framework, module: Any, source: Any, request: Request) -> Converted:
    if isinstance(source, str) and is_code(source):
        source = run_code(source)
    try:
        found: Converted = module.convert(source, request)
    except (AgnosticError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:240]
        raise ConversionError(
            f"{entry.title} could not convert the model ({type(error).__name__}: {reason}); is it whole, and does this "
            "version read it?"
        ) from error
    return found


def is_code(source: str) -> bool:
    """Tell `FILE.py:NAME` or `FILE.py:NAME()`, Python code of the user's own, from a path."""
    file, _, name = source.rpartition(":")
    return file.endswith(".py") and name.removesuffix("()").isidentifier()


def run_code(source: str) -> Any:
    """Run a Python file of the user's own and return what a name in it stands for, or what calling it returns.

    Raises:
        UsageError: the file does not exist, fails, or has no such name.
    """
    import runpy
    import sys

    file, _, name = source.rpartition(":")
    path = Path(file).resolve()
    if not path.is_file():
        raise UsageError(f"{file} does not exist; expected FILE.py:NAME")
    sys.path.insert(0, str(path.parent))
    try:
        found = runpy.run_path(str(path))
        if name.removesuffix("()") not in found:
            raise UsageError(f"{file} has no {name!r}; it has {', '.join(k for k in found if not k.startswith('_'))}")
        value = found[name.removesuffix("()")]
        return value() if name.endswith("()") else value
    except (AgnosticError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{file} failed while it ran ({type(error).__name__}: {reason}); mend it first") from error
    finally:
        sys.path.remove(str(path.parent))


def _versions(framework: str) -> dict[str, str]:
    found = {}
    for package in (*_OF[framework], "onnx"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

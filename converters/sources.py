"""Which framework a source comes from, told from a file's content or an object's type, without running or loading it.

Adding a framework is one row of `FRAMEWORKS`, a `from_*` module with the function `convert` (see `conversion`), and a
list of pins in `environments/`.
"""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agnostic.converters import pickles, sniff
from agnostic.errors import ConversionError, UsageError, unknown

_START = 4096
_LARGEST_TEXT = 2**27


@dataclass(frozen=True)
class Framework:
    """A framework that models come from.

    Attributes:
        name: as `--framework` takes it.
        title: as a person writes it.
        module: the module that converts, below `agnostic.converters`.
        reads: what is accepted, for messages and help.
        needs: what must be importable to convert, any one of the alternatives in each entry.
        environment: the pins of its private environment; see `isolation`.
        types: its objects, as (package, class) of any base class.
        install: what `pip install` needs to convert in one's own environment.
    """

    name: str
    title: str
    module: str
    reads: str
    needs: tuple[str, ...]
    environment: str
    types: tuple[tuple[str, str], ...]
    install: str

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that cannot be imported here."""
        return tuple(need for need in self.needs if not any(find_spec(name) for name in need.split("|")))


# Looked through in order: a Keras model on torch is a torch module too, a booster's wrapper a scikit-learn estimator.
FRAMEWORKS = (
    Framework(
        "keras", "Keras or TensorFlow", "from_keras", ".keras .h5 SavedModel",
        ("keras", "tensorflow|torch", "tf2onnx|torch"), "tensorflow",
        (("keras", "Model"), ("keras.src", "Model"), ("tensorflow", "Module"), ("tf_keras", "Model")),
        "keras tensorflow tf2onnx",
    ),
    Framework(
        "tflite", "TensorFlow Lite", "from_tflite", ".tflite", ("tensorflow", "tf2onnx"), "tensorflow", (),
        "tensorflow tf2onnx",
    ),
    Framework(
        "hugging_face", "Hugging Face", "from_hugging_face", "folders",
        ("transformers", "torch"), "hugging_face", (("transformers", "PreTrainedModel"),),
        "'agnostic-xai[grad]' transformers onnxscript",
    ),
    Framework(
        "torch", "PyTorch", "from_torch", ".pt2 TorchScript", ("torch",), "torch",
        (("torch", "Module"), ("torch", "ExportedProgram")), "'agnostic-xai[grad,convert]'",
    ),
    Framework(
        "jax", "JAX", "from_jax", "FILE.py:NAME", ("jax", "jax2onnx"), "jax",
        (("flax", "Module"), ("jaxlib", "PjitFunction"), ("equinox", "Module")), "jax2onnx",
    ),
    Framework(
        "xgboost", "XGBoost", "from_xgboost", ".json .ubj", ("xgboost", "onnxmltools"), "xgboost",
        (("xgboost", "Booster"), ("xgboost", "XGBModel")), "xgboost onnxmltools scikit-learn",
    ),
    Framework(
        "lightgbm", "LightGBM", "from_lightgbm", ".txt", ("lightgbm", "onnxmltools"), "lightgbm",
        (("lightgbm", "Booster"), ("lightgbm", "LGBMModel")), "'agnostic-xai[convert]'",
    ),
    Framework(
        "catboost", "CatBoost", "from_catboost", ".cbm", ("catboost",), "catboost",
        (("catboost", "CatBoost"),), "catboost",
    ),
    Framework(
        "sklearn", "scikit-learn", "from_sklearn", ".skops .joblib .pkl", ("sklearn", "skl2onnx"), "sklearn",
        (("sklearn", "BaseEstimator"),), "'agnostic-xai[convert]'",
    ),
    Framework(
        "paddle", "PaddlePaddle", "from_paddle", ".pdmodel .json", ("paddle", "paddle2onnx"),
        "paddle", (("paddle", "Layer"),), "paddlepaddle paddle2onnx",
    ),
)  # fmt: skip


def get(name: str) -> Framework:
    """Find a framework by its name.

    Raises:
        UsageError: there is none of that name.
    """
    for framework in FRAMEWORKS:
        if framework.name == name:
            return framework
    raise unknown("framework", name, [framework.name for framework in FRAMEWORKS])


def of_object(source: Any) -> Framework:
    """Tell the framework of a Python object by the classes it descends from.

    Raises:
        ConversionError: it is none that can be converted.
    """
    lineage = [(kind.__module__, kind.__name__) for kind in type(source).__mro__]
    for framework in FRAMEWORKS:
        for package, name in framework.types:
            if any(found == name and f"{module}.".startswith(f"{package}.") for module, found in lineage):
                return framework
    what = f"{lineage[0][0]}.{lineage[0][1]}"
    hint = "a JAX function needs framework='jax'; " if callable(source) else ""
    raise ConversionError(f"an object of type {what} cannot be converted; {hint}{_works()}")


def recognise(path: Path) -> Framework | None:
    """Tell which framework wrote a file or folder; None where it looks like none of them, as ONNX does."""
    try:
        if path.is_dir():
            return _of_folder(path)
        with path.open("rb") as file:
            start = file.read(_START)
    except (OSError, ValueError):
        return None
    found = _of_start(path, start)
    return None if found is None else get(found)


def of_path(path: Path) -> Framework:
    """Tell which framework wrote a file or folder.

    Raises:
        ConversionError: none that can be converted, with what was found and what would work.
    """
    found = recognise(path)
    if found is not None:
        return found
    if not path.exists():
        raise ConversionError(f"{path} does not exist; {_works()}")
    if what := checkpoint(path):
        raise ConversionError(f"{path} is {what}; load it in PyTorch and call agnostic.convert(module, example)")
    raise ConversionError(f"{path} is {_described(path)}; {_works()}")


def members(path: Path) -> list[str]:
    """List the members of a zip archive; none where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def checkpoint(path: Path) -> str | None:
    """Describe a PyTorch checkpoint, which no converter opens; None for anything else."""
    names = members(path)
    pickled = next((name for name in names if name.endswith("data.pkl")), None)
    if pickled is None or any("/code/" in name for name in names):
        return None
    with zipfile.ZipFile(path) as archive, archive.open(pickled) as file:
        named = pickles.names_in(file.read(_LARGEST_TEXT))
    harmless = ("torch.", "collections.", "numpy.", "__builtin__.", "builtins.")
    modules = sorted(name for name in named if name.startswith("torch.nn.modules") or not name.startswith(harmless))
    if modules or named & {"__builtin__.eval", "builtins.eval", "__builtin__.exec", "builtins.exec"}:
        shown = ", ".join(sorted(modules, key=lambda name: name.startswith("torch."))[:2]) or "eval"
        return f"a pickled PyTorch module (it names {shown}), which is code to run and was not opened"
    return "a PyTorch checkpoint: weights without the network that they belong to"


def _described(path: Path) -> str:
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())[:6]
        return f"a folder with {', '.join(names) or 'nothing in it'}"
    with path.open("rb") as file:
        data = file.read(_LARGEST_TEXT)
    if not data:
        return "empty"
    if path.suffix == ".onnx":
        return "an ONNX file already: nothing is to be converted"
    stranger = sniff.stranger(data)
    return stranger.what if stranger else "no model file that is known here"


def _works() -> str:
    return "what works: " + "; ".join(f"{framework.title} {framework.reads}" for framework in FRAMEWORKS)


def _of_folder(path: Path) -> Framework | None:
    if (path / "saved_model.pb").is_file():
        return get("keras")
    if _weights_of_folder(path) and _is_hugging_face(path / "config.json"):
        return get("hugging_face")
    return get("paddle") if paddle_files(path) else None


def _weights_of_folder(path: Path) -> bool:
    return any(path.glob("*.safetensors")) or any(path.glob("pytorch_model*.bin"))


def _is_hugging_face(path: Path) -> bool:
    try:
        config = json.loads(path.read_text("utf-8")) if path.stat().st_size < _LARGEST_TEXT else None
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "model_type" in config


def paddle_files(path: Path) -> tuple[Path, Path] | None:
    """Find the program and the weights of a Paddle model, given its folder or its program."""
    programs = [path] if path.is_file() else sorted([*path.glob("*.pdmodel"), *path.glob("*.json")])
    for program in programs:
        weights = program.with_suffix(".pdiparams")
        if program.suffix in (".pdmodel", ".json") and weights.is_file():
            return program, weights
    return None


def _of_start(path: Path, start: bytes) -> str | None:
    tests: tuple[tuple[str, Callable[[], bool]], ...] = (
        ("keras", lambda: start[:8] == b"\x89HDF\r\n\x1a\n"),
        ("tflite", lambda: start[4:8] == b"TFL3"),
        ("catboost", lambda: start[:4] == b"CBM1"),
        ("lightgbm", lambda: start.startswith((b"tree\n", b"tree\r\n")) and b"version=v" in start[:64]),
        ("xgboost", lambda: _is_xgboost(start)),
        ("paddle", lambda: paddle_files(path) is not None),
        ("sklearn", lambda: _is_pickle(path, start)),
    )
    if start[:4] == b"PK\x03\x04":
        return _of_archive(members(path))
    return next((name for name, holds in tests if holds()), None)


def _of_archive(names: list[str]) -> str | None:
    if any(name.endswith("model.weights.h5") for name in names):
        return "keras"
    if "schema.json" in names:
        return "sklearn"
    in_folder = {name.partition("/")[2].partition("/")[0] for name in names}
    return "torch" if in_folder & {"code", "models"} and in_folder & {"version", "archive_format"} else None


def _is_xgboost(start: bytes) -> bool:
    # In UBJSON the first key is a length and the word; in JSON it is the word.
    head = bytes(start[:64]).replace(b" ", b"").replace(b"\n", b"")
    return head.startswith(b'{"learner":') or (start[:1] == b"{" and b"learner" in start[:24] and start[1:2] in b"LlUi")


def _is_pickle(path: Path, start: bytes) -> bool:
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    is_packed = start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"))
    return path.suffix in (".joblib", ".pkl", ".pickle", ".z", ".gz") and is_packed


def check_importable(framework: Framework, what: str) -> None:
    """Say what is missing here to convert a source, and the two ways to get it.

    Raises:
        UsageError: something is.
    """
    if missing := framework.missing:
        names = ", ".join(need.replace("|", " or ") for need in missing)
        raise UsageError(
            f"{what} is a {framework.title} model; converting it needs {names}, which is not installed here: "
            f"`agnostic convert {what} -o model.onnx --isolate` makes a private environment for it (once), or "
            f"pip install {framework.install}"
        )

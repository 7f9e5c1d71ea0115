"""Opens Keras' and TensorFlow's files after looking for code in them.

Keras rebuilds a network from a description that names classes; only Keras' own are accepted, and no `Lambda`, which is
pickled Python. A SavedModel is a TensorFlow program, and runs when it is loaded; one that touches files or calls Python
is refused.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agnostic.errors import ConversionError, UsageError

_LARGEST_DESCRIPTION = 2**26
# Saving and restoring variables is how a SavedModel is loaded; these are not.
_FORBIDDEN = frozenset(
    {"EagerPyFunc", "FixedLengthRecordReaderV2", "LoadDataset", "MatchingFiles", "PrintV2", "PyFunc", "PyFuncStateless",
     "ReadFile", "RemoteCall", "SaveDatasetV2", "TFRecordDataset", "TextLineDataset", "WholeFileReaderV2", "WriteFile"}
)  # fmt: skip


def open_keras(path: Path) -> Any:
    """Open a `.keras` or `.h5` model.

    Raises:
        ConversionError: it names code, holds no network, or cannot be read by this version of Keras.
    """
    _check_layers(path, _description(path))
    import keras

    try:
        # An .h5 may have any name; Keras goes by the ending.
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(
            f"Keras {keras.__version__} cannot read {path.name} ({type(error).__name__}: {reason}); save it again with "
            "model.save"
        ) from error


def open_saved_model(path: Path) -> Any:
    """Open a SavedModel folder and return its serving function.

    Raises:
        ConversionError: it touches files or calls Python, has no serving function, or cannot be read.
    """
    import tensorflow as tf

    if found := sorted(_operators(path / "saved_model.pb") & _FORBIDDEN):
        raise ConversionError(
            f"{path.name} has the operators {', '.join(found)}, which touch files or run code; nothing of it was run"
        )
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:
        raise ConversionError(
            f"TensorFlow {tf.__version__} cannot read {path.name} ({type(error).__name__}: {str(error)[:160]}); "
            "save it again"
        ) from error
    functions = dict(loaded.signatures)
    if not functions:
        raise ConversionError(f"{path.name} has no serving function; save it with signatures, as model.export does")
    # What holds the variables must outlive the function.
    function = functions.get("serving_default") or functions[min(functions)]
    function.agnostic_owner = loaded
    return function


def _description(path: Path) -> Any:
    """Read what a file says its layers are, without building any."""
    if zipfile.is_zipfile(path):
        return _description_in_archive(path)
    try:
        import h5py
    except ImportError as error:
        raise UsageError("reading .h5 files needs h5py: pip install h5py") from error
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
    if text is None:
        raise ConversionError(
            f"{path.name} holds weights without a network (no model_config); load them in Keras and save the whole "
            "model with model.save('model.keras')"
        )
    return json.loads(text)


def _description_in_archive(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST_DESCRIPTION:
                raise ConversionError(f"{path.name} describes its network in more than 64 MB; it is no Keras model")
            return json.loads(archive.read("config.json"))
    except (KeyError, ValueError, RecursionError, zipfile.BadZipFile, OSError) as error:
        raise ConversionError(f"{path.name} is damaged: it has no readable config.json; save it again") from error


def _check_layers(path: Path, description: Any) -> None:
    for entry in _classes(description):
        module, name = str(entry.get("module") or "keras"), str(entry.get("class_name"))
        if name in ("Lambda", "__lambda__") or module.partition(".")[0] not in ("keras", "builtins", "tf_keras"):
            what = "a Lambda layer" if name in ("Lambda", "__lambda__") else f"the class {module}.{name}"
            raise ConversionError(
                f"{path.name} has {what}, which is code to run; nothing of it was run. If you trust it, load it "
                "yourself and call agnostic.convert(model, example)"
            )


def _classes(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _operators(path: Path) -> set[str]:
    """Name every operator of a SavedModel, its functions' too."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except Exception as error:
        raise ConversionError(f"{path} is damaged; copy or save it again") from error
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    nodes = [node.op for graph in graphs for node in graph.node]
    return {*nodes, *(node.op for graph in graphs for function in graph.library.function for node in function.node_def)}

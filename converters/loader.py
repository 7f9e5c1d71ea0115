"""The one guarded way to read a model file: nothing in it is trusted before it has been looked at.

A file is read once, told apart from what people mistake for ONNX, parsed, given its external weights, checked, and
handed on with all weights inline. Refusals are one line: the file, the cause, what to do.
"""

import hashlib
import os
import stat
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from agnostic.converters import external, guard, sniff
from agnostic.converters.graph import every_tensor
from agnostic.converters.guard import Limits
from agnostic.errors import LimitError, ModelError

__all__ = ["Limits", "Loaded", "load"]


@dataclass(frozen=True)
class Loaded:
    """A model that passed every check.

    Attributes:
        proto: The model with all its weights inline.
        sha256: Hex hash of the file's bytes, followed by the external weights' bytes where there are any.
        path: Where it was read from; None for bytes and protos.
    """

    proto: ModelProto = field(repr=False)
    sha256: str
    path: Path | None = None


def load(
    source: str | os.PathLike[str] | bytes | ModelProto,
    *,
    allow_custom_ops: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Loaded:
    """Read and check a model.

    Args:
        source: The path of an .onnx file, its bytes, or a ModelProto (which is copied).
        allow_custom_ops: Let operators pass that neither ONNX nor onnxruntime defines.
        limits: How large the model may be.

    Raises:
        ModelError: The file is missing, not ONNX, broken, unsafe or too new.
        LimitError: The model asks for more memory than the limits allow.
    """
    path = None if isinstance(source, bytes | ModelProto) else Path(source)
    name = "the model" if path is None else f"model {str(path)!r}"
    try:
        return _load(_bytes(source, limits), path, allow_custom_ops, limits)
    except (ModelError, LimitError) as reason:
        raise type(reason)(f"{name} {reason}") from None


def _load(data: bytes, path: Path | None, allow_custom_ops: bool, limits: Limits) -> Loaded:
    hasher = hashlib.sha256(data)
    proto = _parse(data)
    if not proto.graph.node and (foreign := sniff.foreign_graph(data)):
        raise ModelError(f"is {foreign.what}; {foreign.remedy}")
    had_files = any(tensor.external_data for tensor in every_tensor(proto))
    external.inline(proto, path.parent if path else None, limits.file_bytes - len(data), hasher)
    guard.check(proto, limits, allow_custom_ops=allow_custom_ops)
    # The checker runs last, on a model whose size is known to be bearable.
    guard.check_with_onnx(_serialised(proto) if had_files else data)
    return Loaded(proto, hasher.hexdigest(), path)


def _bytes(source: str | os.PathLike[str] | bytes | ModelProto, limits: Limits) -> bytes:
    # A proto goes the way of a file, through its bytes: the caller may change the original later.
    if isinstance(source, ModelProto):
        return _serialised(source)
    data = source if isinstance(source, bytes) else _read(Path(source), limits)
    if len(data) > limits.file_bytes:
        raise _too_large(limits)
    if not data.strip(b"\0"):
        raise ModelError(f"is {'filled with zeros' if data else 'empty'}; download or export it again")
    if stranger := sniff.stranger(data):
        raise ModelError(f"is {stranger.what}; {stranger.remedy}")
    return data


def _read(path: Path, limits: Limits) -> bytes:
    try:
        descriptor = os.open(path, external.READ)
    except FileNotFoundError:
        raise ModelError(f"does not exist; {_nearby(path)}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        what = "a folder" if stat.S_ISDIR(mode) else "a device or a pipe, not a plain file"
        raise ModelError(f"is {what}; {_inside(path) if stat.S_ISDIR(mode) else 'give the path of an .onnx file'}")
    with os.fdopen(descriptor, "rb") as file:
        # One byte past the limit tells a file that is too large, even one that grew since it was opened.
        return file.read(limits.file_bytes + 1)


def _inside(folder: Path) -> str:
    """Suggest the model files of a folder."""
    names = sorted(entry.name for entry in folder.glob("*.onnx"))
    return f"give one of {', '.join(map(repr, names[:5]))} in it" if names else "give the path of an .onnx file"


def _nearby(path: Path) -> str:
    """Suggest a file of nearly that name."""
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except OSError:
        return f"there is no folder {str(path.parent)!r} either"
    near = get_close_matches(path.name, names, n=3)
    return f"did you mean {', '.join(map(repr, near))}?" if near else "give the path of an .onnx file"


def _parse(data: bytes) -> ModelProto:
    proto = ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        raise ModelError(
            f"cannot be read as ONNX: its {len(data):,} bytes are broken, cut off, or something else; "
            "download or export it again"
        ) from None
    return proto


def _serialised(proto: ModelProto) -> bytes:
    try:
        return bytes(proto.SerializeToString(deterministic=True))
    except (EncodeError, ValueError):
        raise ModelError("is past 2 GiB, which protobuf cannot hold; use a smaller or quantised model") from None


def _too_large(limits: Limits) -> ModelError:
    return ModelError(f"is larger than {limits.file_bytes:,} bytes; use a smaller model or raise Limits.file_bytes")

"""What a file really is, told from its first bytes, and what its owner can do to get an ONNX file.

Nothing is unpickled or unpacked here: only magic numbers and, for a zip, the names of its members are read.
"""

import io
import zipfile
from collections.abc import Iterable
from typing import NamedTuple

EXPORT_TORCH = "load it in PyTorch and call agnostic.convert(module, example)"
CONVERT = "convert it: agnostic convert FILE -o model.onnx"
DOWNLOAD = "download the file itself again"


class Stranger(NamedTuple):
    """A file that is no ONNX model: what it is and what to do about it."""

    what: str
    remedy: str


_MAGIC: tuple[tuple[int, bytes, Stranger], ...] = (
    (0, b"version https://git-lfs", Stranger("a Git LFS pointer, not the model it points to", "run git lfs pull")),
    (0, b"\x1f\x8b", Stranger("a gzip archive", "unpack it with gunzip or tar -xzf")),
    (0, b"\x89HDF\r\n\x1a\n", Stranger("an HDF5 file (a Keras model?)", CONVERT)),
    (4, b"TFL3", Stranger("a TensorFlow Lite model", CONVERT)),
    (4, b"ORTM", Stranger("a model in onnxruntime's own ORT format", "give the .onnx file it was made from")),
    (0, b"GGUF", Stranger("a GGUF language model", "export the original model to ONNX")),
    (0, b"\x93NUMPY", Stranger("a NumPy array", "give the .onnx file first, the array as its input")),
    (0, b"\x89PNG", Stranger("a PNG picture", "give the .onnx file first, the picture as its input")),
    (0, b"\xff\xd8\xff", Stranger("a JPEG picture", "give the .onnx file first, the picture as its input")),
)


def stranger(data: bytes) -> Stranger | None:
    """Recognise a file that is certainly not an ONNX model.

    >>> stranger(b"<!DOCTYPE html><html>").what
    'an HTML page, not a model (a download page was saved instead of the file)'
    """
    for offset, magic, answer in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return answer
    if data[:4] == b"PK\x03\x04":
        return _archive(data)
    return _weights_or_pickle(data) or _text(data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower())


def foreign_graph(data: bytes) -> Stranger | None:
    """Recognise TensorFlow's protobuf files, which parse as an ONNX model without a graph."""
    if b"saved_model" in data or b"Placeholder" in data:
        return Stranger(
            "a TensorFlow graph, not an ONNX model",
            "convert its folder: agnostic convert FOLDER -o model.onnx",
        )
    return None


def _archive(data: bytes) -> Stranger:
    try:
        members = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return Stranger("a damaged zip archive", DOWNLOAD)
    if _has(members, "data.pkl"):
        return Stranger("a PyTorch checkpoint (a zip with a pickle), which is never opened", EXPORT_TORCH)
    if _has(members, "model.weights.h5"):
        return Stranger("a Keras model", CONVERT)
    if _has(members, ".npy"):
        return Stranger("a NumPy .npz archive", "give the .onnx file first, the arrays as its input")
    if _has(members, ".onnx"):
        return Stranger("a zip archive with an .onnx file inside", "unpack it and give that file")
    return Stranger("a zip archive", "unpack it and give the .onnx file")


def _has(members: Iterable[str], ending: str) -> bool:
    return any(member.endswith(ending) for member in members)


def _weights_or_pickle(data: bytes) -> Stranger | None:
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8:
        return Stranger("a safetensors file: weights without a graph", "export the model that owns them to ONNX")
    # A pickle of protocol 2 to 5 opens with PROTO and ends with STOP; as protobuf those bytes would be field 16.
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Stranger("a Python pickle (a PyTorch checkpoint?), which is never opened", EXPORT_TORCH)
    return None


def _text(start: bytes) -> Stranger | None:
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<body")):
        return Stranger("an HTML page, not a model (a download page was saved instead of the file)", DOWNLOAD)
    if start.startswith(b"<?xml"):
        return Stranger("an XML text (an error message of a server, or OpenVINO?)", DOWNLOAD)
    if start.startswith((b'{"', b"{\n", b"{\r\n", b"{ ", b"{}")):
        return Stranger("a JSON text", "give the .onnx file")
    return None

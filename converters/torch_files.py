"""Opens PyTorch's model files: exported programs (`.pt2`) and TorchScript, after looking for code in them.

`torch.export.load` is not safe on its own: where a tensor cannot be read as weights it falls back to unpickling
anything; it evaluates the expressions of symbolic sizes, and runs guards as Python; it looks operators up by any path
below `torch`; and names of inputs end up in code that torch.fx writes. So each of these is checked first, against what
an honest file holds. TorchScript runs on an interpreter of its own, whose operators can still read and write files;
those are refused by name.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agnostic.errors import ConversionError, LimitError

LARGEST = 2**33
_MOST_MEMBERS = 100_000

_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|prim|quantized|quantized_decomposed|torchvision|higher_order|onnx)(\.\w+)+"
    r"|_operator\.\w+|math\.\w+|torch\.sym_\w+|torch\._higher_order_ops(\.\w+)+"
)
# aten's few operators that touch files or shared memory.
_TOUCHES_FILES = re.compile(r"\b(save|from_file|_from_file|load|to_mkldnn_file|_share_filename|_new_shared)\b")
_SIZE_FUNCTIONS = {
    "FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv",
    "LShift", "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt",
    "IsNonOverlappingAndDenseIndicator", "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "Max", "Min", "Eq", "Ne",
    "Ge", "Gt", "Le", "Lt", "And", "Or", "Not", "Integer", "Abs", "Piecewise", "True", "False",
    "Mul", "Add", "Pow", "Rational", "floor", "ceiling", "int_oo", "oo", "Equality", "Unequality", "GreaterThan",
    "LessThan", "StrictGreaterThan", "StrictLessThan", "evaluate",
}  # fmt: skip
_SYMBOL = re.compile(r"[a-z]{1,5}\d+")
_DECLARED = re.compile(r"Symbol\('[a-z]{1,5}\d+'(, \w+=(True|False))*\)")
_ASKED = re.compile(r"L\['\w+'\](\['?\w+'?\])*\.(size\(\)\[\d+\]|stride\(\)\[\d+\]|storage_offset\(\))")
# Names end up in Python code that torch.fx writes and runs.
_NAME = re.compile(r"[\w.]*")
_EXPRESSION = re.compile(r"[\w\s+*/%(),<>=!&|~-]*(\d\.\d+[\w\s+*/%(),<>=!&|~-]*)*")


def open_program(path: Path) -> Any:
    """Open an exported program.

    Raises:
        ConversionError: it holds anything but tensors, plain sizes and PyTorch's own operators, or cannot be read.
        LimitError: it unpacks to more than 8 GiB.
    """
    import torch

    with _archive(path) as archive:
        for member in archive.namelist():
            _check_member(path, archive, member)
    try:
        return torch.export.load(path)
    except Exception as error:
        raise _unreadable(path, error) from error


def open_script(path: Path) -> Any:
    """Open a TorchScript module.

    Raises:
        ConversionError: its code touches files or calls operators from elsewhere, or it cannot be read.
        LimitError: it unpacks to more than 8 GiB.
    """
    import torch

    with _archive(path) as archive:
        for member in archive.namelist():
            if member.endswith(".py") and (strange := _strange_call(archive.read(member).decode("utf-8", "replace"))):
                raise _refused(path, f"calls {strange}")
    try:
        return torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise _unreadable(path, error) from error


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ConversionError(f"{path.name} is a damaged archive ({error}); copy or download it again") from error
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS or sum(info.file_size for info in infos) > LARGEST:
        archive.close()
        raise LimitError(f"{path.name} unpacks to more than {LARGEST >> 30} GiB; convert a smaller model")
    return archive


def _check_member(path: Path, archive: zipfile.ZipFile, member: str) -> None:
    name = member.partition("/")[2]
    if name.startswith(("data/aotinductor/", "data/executorch/", "data/mtia/")) or name.endswith((".so", ".o", ".py")):
        raise _refused(path, f"holds compiled code ({member})")
    if name.rpartition("/")[2].startswith(("custom_obj", "opaque_obj")):
        raise _refused(path, f"holds an object of a class of its own ({member})")
    if name.endswith(".json"):
        _check_json(path, member, archive)
    elif not name.startswith(("archive_", "byteorder", ".data")):
        with archive.open(member) as file:
            start = file.read(4)
        if start == b"PK\x03\x04" or name.endswith((".pt", ".pth", ".pkl")):
            _check_weights(path, member, archive.read(member))


def _check_weights(path: Path, member: str, data: bytes) -> None:
    """Read what is pickled inside as weights, which is the one way that runs nothing."""
    import torch

    if not data:
        return
    try:
        torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except Exception as error:
        raise _refused(path, f"holds a pickle that is no tensor ({member})") from error


def _check_json(path: Path, member: str, archive: zipfile.ZipFile) -> None:
    try:
        content = json.loads(archive.read(member))
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path.name} is damaged: {member} is not JSON; export it again") from error
    for key, value in _entries(content):
        if isinstance(value, dict) and value.get("use_pickle"):
            # Such a tensor is unpickled whatever its bytes look like.
            ending = "/" + str(value.get("path_name"))
            for pickled in (name for name in archive.namelist() if name.endswith(ending)):
                _check_weights(path, pickled, archive.read(pickled))
        if key == "expr_str" and not _is_size(value):
            raise _refused(path, f"holds the size {str(value)[:60]!r}, which is no arithmetic")
        if key == "guards_code" and not all(_is_size(_ASKED.sub("s0", str(guard))) for guard in value):
            raise _refused(path, "holds a condition that is no arithmetic on sizes")
        if key in ("target", "as_operator") and not _is_operator(value):
            raise _refused(path, f"calls {str(value)[:60]}")
        if key == "name" and isinstance(value, str) and not _NAME.fullmatch(value):
            raise _refused(path, f"has the name {value[:60]!r}, which is none")
        if key == "range_constraints" and not all(_SYMBOL.fullmatch(name) for name in value):
            raise _refused(path, "constrains what is no size")


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    """Walk every key of a JSON value."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _is_size(expression: Any) -> bool:
    if not isinstance(expression, str) or not _EXPRESSION.fullmatch(expression := _DECLARED.sub("s0", expression)):
        return False
    words = re.findall(r"[A-Za-z_]\w*", expression)
    return all(word in _SIZE_FUNCTIONS or _SYMBOL.fullmatch(word) for word in words)


def _is_operator(target: Any) -> bool:
    """Tell an operator of PyTorch's own; in a signature, a target is the name of a weight."""
    if not isinstance(target, str):
        return target is None
    if not target.startswith(("torch.", "_operator", "math.", "#")):
        return True
    return bool(_OPERATOR.fullmatch(target)) and not _TOUCHES_FILES.search(target) and "__" not in target


def _strange_call(code: str) -> str | None:
    """Find a call in TorchScript code that leaves the world of tensors."""
    for found in re.finditer(r"\b(?:torch|ops)((?:\.\w+)+)\(", code):
        space, _, _ = found[1][1:].partition(".")
        if found[0].startswith("ops.") and space not in ("prim", "aten", "quantized", "torchvision"):
            return found[0][:-1]
        if _TOUCHES_FILES.search(found[1]):
            return found[0][:-1]
    return None


def _refused(path: Path, what: str) -> ConversionError:
    return ConversionError(
        f"{path.name} {what}, which may run code; nothing of it was run. If you trust it, load it yourself and call "
        "agnostic.convert(module, example)"
    )


def _unreadable(path: Path, error: Exception) -> ConversionError:
    import torch

    reason = " ".join(str(error).split())[:160]
    return ConversionError(
        f"PyTorch {torch.__version__} cannot read {path.name} ({type(error).__name__}: {reason}); export it again"
    )

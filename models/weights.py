"""Reads published weights out of pickles without running what a pickle may hold.

`read_arrays` reads a pickle of numpy arrays, `read_torch` a PyTorch checkpoint in the format used before 1.6. Each
names the few globals its file needs; any other global ends the reading with a ModelError. Neither imports torch.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.errors import ModelError

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_REBUILD = ("torch._utils", "_rebuild_tensor_v2")
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

# Asked of numpy itself, since the module that holds it moved between numpy 1 and 2.
_RECONSTRUCT = np.zeros(0).__reduce__()[0]
_NUMPY_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Restricted(pickle.Unpickler):
    """An unpickler that knows the globals it was given and no others."""

    def __init__(self, file: io.BytesIO, known: Mapping[tuple[str, str], Any]) -> None:
        super().__init__(file)
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._known:
            raise ModelError(f"the weights file asks for {module}.{name}, which weights do not need; it was not read")
        return self._known[module, name]


def read_arrays(data: bytes) -> Any:
    """Read a pickle that holds nothing but containers, text, numbers and numpy arrays."""
    return _Restricted(io.BytesIO(data), _NUMPY_GLOBALS).load()


class _View(NamedTuple):
    """A tensor as the checkpoint states it: a strided window of a storage that is read later."""

    storage: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _Checkpoint(_Restricted):
    """Reads a state dictionary as views, and notes type and length of each storage on the way."""

    def __init__(self, file: io.BytesIO) -> None:
        known = {("torch", name): dtype for name, dtype in _STORAGES.items()}
        super().__init__(file, {**known, ("collections", "OrderedDict"): OrderedDict, _REBUILD: _view})
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, _device, _length, _parent = pid
        self.dtypes[key] = dtype
        return str(key)


def _view(storage: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_autograd: Any) -> _View:
    return _View(storage, offset, shape, stride)


def read_torch(data: bytes) -> dict[str, NDArray[Any]]:
    """Read the tensors of a checkpoint that torch.save wrote before PyTorch 1.6 (or with its legacy format)."""
    file = io.BytesIO(data)
    if _Restricted(file, {}).load() != _TORCH_MAGIC:
        raise ModelError("the weights are not a legacy PyTorch checkpoint; expected one that torch.save wrote")
    for _ in ("protocol", "machine"):
        _Restricted(file, {}).load()
    checkpoint = _Checkpoint(file)
    views = checkpoint.load()
    storages = {key: _storage(file, checkpoint.dtypes[key]) for key in _Restricted(file, {}).load()}
    return {name: _window(storages[view.storage], view) for name, view in views.items()}


def _storage(file: io.BytesIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype, count)


def _window(storage: NDArray[Any], view: _View) -> NDArray[Any]:
    """Cut a tensor out of its storage, after checking that its last element lies inside."""
    last = view.offset + sum((size - 1) * step for size, step in zip(view.shape, view.stride, strict=True))
    if min((view.offset, *view.stride)) < 0 or last >= storage.size:
        raise ModelError(f"a tensor of shape {view.shape} does not lie inside its storage; the file is damaged")
    steps = [step * storage.itemsize for step in view.stride]
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, steps, writeable=False)

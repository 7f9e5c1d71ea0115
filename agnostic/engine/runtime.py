"""onnxruntime: providers, sessions and single calls. The only module above `converters.verify` that imports it.

A session is built once per set of fetched tensors, from a graph cut down to just those, and kept: exposing all
hidden tensors costs 14-19 % even when they are not fetched, so a perturbation loop gets a session of its own.
"""

import ctypes
import ctypes.util
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from agnostic.converters import surgery
from agnostic.engine.limits import alarm
from agnostic.engine.target import Array
from agnostic.errors import AgnosticError, InputError, LimitError, ModelError, UsageError

Device = Literal["auto", "cpu", "cuda"]
KEPT_SESSIONS = 6
# The onnx package writes IR versions that onnxruntime reads only a release later, though it knows all they hold.
NEWEST_IR = 13


class OutOfMemoryError(LimitError):
    """A run that asked for more memory than there is; a smaller batch may fit."""


@cache
def cuda_devices() -> int:
    """Count the CUDA devices the driver sees; 0 without a driver."""
    try:
        driver = ctypes.CDLL(ctypes.util.find_library("cuda") or ctypes.util.find_library("nvcuda") or "libcuda.so.1")
        count = ctypes.c_int(0)
        found = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    except (OSError, AttributeError):
        return 0
    return count.value if found else 0


@cache
def installed_runtimes() -> tuple[str, ...]:
    """The installed distributions that claim the import name `onnxruntime`."""
    owners = metadata.packages_distributions().get("onnxruntime", [])
    return tuple(sorted({name for name in owners if name.startswith("onnxruntime")}))


@cache
def _onnxruntime() -> Any:
    import onnxruntime

    if len(installed_runtimes()) > 1 or not hasattr(onnxruntime, "InferenceSession"):
        warnings.warn(
            f"several onnxruntime packages overwrite each other ({', '.join(installed_runtimes())}); "
            "run `agnostic doctor` for the line that mends it",
            RuntimeWarning,
            stacklevel=2,
        )
    if not hasattr(onnxruntime, "InferenceSession"):
        raise AgnosticError("the installed onnxruntime is broken: run `agnostic doctor`")
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def providers(device: Device) -> list[str]:
    """The execution providers of a device; `auto` takes CUDA where a driver and the provider are found."""
    available = _onnxruntime().get_available_providers()
    usable = "CUDAExecutionProvider" in available and cuda_devices() > 0
    if device == "cuda" and not usable:
        why = "no CUDA driver was found" if "CUDAExecutionProvider" in available else "onnxruntime has no CUDA provider"
        raise UsageError(f"--device cuda: {why}; use --device cpu, or see `agnostic doctor`")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"] if usable and device != "cpu" else ["CPUExecutionProvider"]


class _Session(NamedTuple):
    """An onnxruntime session, and the inputs it still needs: asking it anew at each run is slow."""

    session: Any
    inputs: frozenset[str]


class Runtime:
    """Run one graph; what is fetched decides which session runs."""

    def __init__(self, proto: onnx.ModelProto, device: Device = "auto", threads: int | None = None) -> None:
        """Take a graph whose weights are all inline; no session is built yet."""
        self.proto = proto
        self.device: Device = device
        self._threads = threads
        self._sessions: OrderedDict[tuple[str, ...], _Session] = OrderedDict()
        self._building = threading.Lock()

    @property
    def provider(self) -> str:
        """The execution provider that sessions run on."""
        return providers(self.device)[0]

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str]) -> dict[str, Array]:
        """Run the graph once and fetch the named tensors."""
        session, needed = self._session(tuple(outputs))
        options = _onnxruntime().RunOptions()
        options.log_severity_level = 4
        given = {name: value for name, value in feeds.items() if name in needed}
        with alarm(lambda: setattr(options, "terminate", True)) as deadline:
            try:
                return dict(zip(outputs, session.run(list(outputs), given, options), strict=True))
            except Exception as error:
                if deadline is not None and deadline.remaining <= 0:
                    raise deadline.error() from error
                raise _run_error(error) from error

    def _session(self, outputs: tuple[str, ...]) -> _Session:
        with self._building:
            if outputs not in self._sessions:
                session = self._build(outputs)
                self._sessions[outputs] = _Session(session, frozenset(item.name for item in session.get_inputs()))
                if len(self._sessions) > KEPT_SESSIONS:
                    self._sessions.popitem(last=False)
            self._sessions.move_to_end(outputs)
            return self._sessions[outputs]

    def _build(self, outputs: tuple[str, ...]) -> Any:
        runtime = _onnxruntime()
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        # Spinning threads of one pool starve Numba's and the next session's; waiting costs a few per cent alone.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        try:
            lean = surgery.expose(self.proto, outputs, only=True)
            lean.ir_version = min(lean.ir_version, NEWEST_IR)
            session = runtime.InferenceSession(lean.SerializeToString(), options, providers=providers(self.device))
        except AgnosticError:
            raise
        except Exception as error:
            raise _session_error(error) from error
        if self.device == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
            raise UsageError("--device cuda: onnxruntime fell back to the CPU; see `agnostic doctor`")
        return session


# What onnxruntime puts before its message: its name, a number, the place in its own source.
_PLACE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : |/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])")
_NEWER_OPSET = re.compile(r"Opset (\d+) is under development.* till opset (\d+)")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _PLACE.sub("", lines[0]) if lines else type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _is_memory(error: Exception) -> bool:
    text = str(error).lower()
    signs = ("bad_alloc", "failed to allocate", "out of memory", "bad alloc", "requested buffer size", "overflow")
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)


def _run_error(error: Exception) -> AgnosticError:
    if _is_memory(error):
        return OutOfMemoryError(f"the model needs more memory than there is: {_first_line(error)}; try --batch-size 1")
    if type(error).__name__ == "InvalidArgument" or isinstance(error, ValueError | TypeError):
        return InputError(f"the input does not fit the model: {_first_line(error)}")
    return ModelError(f"the model failed while running: {_first_line(error)}")


def _session_error(error: Exception) -> AgnosticError:
    if _is_memory(error):
        return OutOfMemoryError(f"the model needs more memory than there is: {_first_line(error)}")
    if newer := _NEWER_OPSET.search(str(error)):
        return ModelError(
            f"the model has opset {newer[1]}, onnxruntime {_onnxruntime().__version__} here knows up to {newer[2]}: "
            "pip install -U onnxruntime, or export for an older opset"
        )
    return ModelError(
        f"onnxruntime cannot run this model: {_first_line(error)}; check that its operators are supported"
    )


def as_dtype(values: Array, dtype: np.dtype[Any]) -> Array:
    """Cast to what an input eats; integers are rounded, and whatever is out of range is clipped, never wrapped."""
    if values.dtype == dtype:
        return values
    if np.issubdtype(dtype, np.integer):
        return _whole(values, dtype)
    if np.issubdtype(dtype, np.floating) and np.issubdtype(values.dtype, np.floating):
        ends = np.finfo(dtype)
        if values.dtype.itemsize > dtype.itemsize:
            values = np.asarray(np.clip(values, float(ends.min), float(ends.max)))
    return values.astype(dtype)


def _whole(values: Array, dtype: np.dtype[Any]) -> Array:
    ends = np.iinfo(dtype)
    rounded: npt.NDArray[Any] = np.rint(values) if np.issubdtype(values.dtype, np.floating) else values
    # Compared, not clipped: the largest int64 is no float, and rounds up out of the range.
    low, high = rounded <= ends.min, rounded >= ends.max
    inside = np.where(low | high, 0, rounded).astype(dtype)
    return np.where(high, dtype.type(ends.max), np.where(low, dtype.type(ends.min), inside))

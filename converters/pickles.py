"""Reads a pickled scikit-learn estimator without running what the pickle says, or refuses it.

A pickle is a program: it names functions and calls them. What is read here may name nothing but classes of data: those
of scikit-learn, NumPy and SciPy that a fitted estimator is made of, each looked up and checked before it is handed out.
Everything else ends the reading before anything was called. Numbers in the file are still believed: a made-up file can
give a wrong estimator, or crash the process that reads it, which is why files are read in a process of their own.
"""

import bz2
import gzip
import importlib
import io
import lzma
import pickle
import pickletools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.errors import ConversionError, LimitError

LARGEST = 2**31 - 1

_EXACT = {
    "builtins": {"set", "frozenset", "list", "dict", "tuple", "int", "float", "complex", "bool", "str", "bytes"}
    | {"bytearray", "slice", "range", "object"},
    "collections": {"OrderedDict", "defaultdict", "Counter", "deque"},
    "copyreg": {"_reconstructor"},
    "numpy": {"ndarray", "dtype", "matrix"},
    "numpy.ma.core": {"MaskedArray", "_mareconstruct"},
    "numpy.random._pickle": {"__randomstate_ctor", "__bit_generator_ctor", "__generator_ctor"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random._pcg64": {"PCG64"},
    "numpy.random.bit_generator": {"SeedSequence", "__pyx_unpickle_SeedSequence"},
    "scipy._lib.array_api_compat.numpy._aliases": {"asarray"},
    "scipy.interpolate._bsplines": {"BSpline"},
    "scipy.interpolate._interpolate": {"interp1d"},
    "sklearn.feature_selection._univariate_selection": {"chi2", "f_classif", "f_regression", "r_regression"},
    "sklearn.feature_selection._mutual_info": {"mutual_info_classif", "mutual_info_regression"},
    "sklearn.metrics._dist_metrics": {"newObj"},
    "sklearn.neighbors._ball_tree": {"newObj", "BallTree", "BallTree32", "BallTree64"},
    "sklearn.neighbors._kd_tree": {"newObj", "KDTree", "KDTree32", "KDTree64"},
    "lightgbm.sklearn": {"LGBMClassifier", "LGBMRegressor", "_LGBMLabelEncoder"},
    "lightgbm.basic": {"Booster"},
    "xgboost.sklearn": {"XGBClassifier", "XGBRegressor"},
    "xgboost.core": {"Booster"},
}
_NUMPY_CORE = {"_reconstruct", "scalar", "_frombuffer"}
# Below these, classes hold what an estimator has learned and do nothing when they are made.
_PARTS: tuple[str, ...] = (
    "sklearn.tree._tree",
    "sklearn._loss",
    "sklearn.gaussian_process.kernels",
    "sklearn.metrics._dist_metrics",
)
_PARTS += ("sklearn.ensemble._hist_gradient_boosting", "sklearn.ensemble._gb_losses", "sklearn.utils._bunch")
_PARTS += ("sklearn.linear_model._sgd_fast", "sklearn.utils._random", "sklearn.linear_model._linear_loss")
_PARTS += ("sklearn.neural_network._stochastic_optimizers", "sklearn.calibration", "sklearn.cluster._birch")


class NotAllowedError(pickle.UnpicklingError):
    """A name that a pickle asks for and does not get."""


def load_estimator(path: Path) -> Any:
    """Read a pickle or a joblib file of an estimator.

    Raises:
        ConversionError: it names anything but the classes of an estimator, or is broken. Nothing of it was run.
        LimitError: it is larger than 2 GiB when unpacked.
    """
    data = unpacked(path)
    try:
        return _unpickler(data).load()
    except NotAllowedError as refused:
        raise ConversionError(
            f"{path.name} is a pickle that names {refused}, which is code to run, not data of a scikit-learn model; "
            "nothing of it was run. If you trust it, load it yourself and call agnostic.convert(estimator, example)"
        ) from None
    except MemoryError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160]
        raise ConversionError(
            f"{path.name} cannot be read as a pickled estimator ({type(error).__name__}: {reason}); was it written by "
            "another version of scikit-learn? Write it again, or convert it there"
        ) from error


def unpacked(path: Path) -> bytes:
    """Read a file, decompressed where joblib compressed it (zlib, gzip, bz2, xz, lzma)."""
    with path.open("rb") as file:
        start = file.read(6)
    opener = _opener(start)
    try:
        with opener(path) as file:
            data = bytes(file.read(LARGEST + 1))
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise ConversionError(f"{path.name} is damaged: {error}; copy or download it again") from error
    if len(data) > LARGEST:
        raise LimitError(f"{path.name} unpacks to more than {LARGEST:,} bytes; convert a smaller estimator")
    return data


def names_in(data: bytes) -> set[str]:
    """List, without running anything, the names that a pickle writes out: for a message, not for safety.

    >>> sorted(names_in(pickle.dumps(frozenset, protocol=4)))
    ['builtins.frozenset']
    """
    found: set[str] = set()
    words: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "GLOBAL":
                found.add(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL" and len(words) > 1:
                found.add(".".join(words[-2:]))
            elif isinstance(argument, str):
                words.append(argument)
    except ValueError:
        pass  # cut off, or joblib's arrays between the opcodes
    return found


def _opener(start: bytes) -> Callable[[Path], Any]:
    magics: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
        (b"\x1f\x8b", gzip.open),
        (b"BZ", bz2.open),
        (b"\xfd7zXZ", lzma.open),
        (b"\x5d\x00", lzma.open),
        (b"\x78", _inflated),
    )
    return next((opener for magic, opener in magics if start.startswith(magic)), lambda path: path.open("rb"))


def _inflated(path: Path) -> io.BytesIO:
    inflater = zlib.decompressobj()
    return io.BytesIO(inflater.decompress(path.read_bytes(), LARGEST + 1))


def allowed(module: str, name: str) -> Any:
    """Look up a name that a pickle asks for.

    Raises:
        NotAllowedError: it is none of the classes that an estimator is made of.
    """
    found = _exact(module, name) if "." not in name else None
    if found is None:
        raise NotAllowedError(f"{module}.{name}")
    return found


def is_allowed(module: str, name: str) -> bool:
    """Tell whether a name is that of a class of data.

    >>> is_allowed("sklearn.tree._classes", "DecisionTreeClassifier"), is_allowed("os", "system")
    (True, False)
    """
    try:
        allowed(module, name)
    except NotAllowedError:
        return False
    return True


def _exact(module: str, name: str) -> Any:
    if name in _EXACT.get(module, ()) or (module.startswith(("numpy.core.", "numpy._core.")) and name in _NUMPY_CORE):
        return getattr(importlib.import_module(module.replace("numpy.core.", "numpy._core.")), name)
    root = module.partition(".")[0]
    if module == "sklearn._loss._loss" and name.startswith("__pyx_unpickle_Cy"):
        return getattr(importlib.import_module(module), name, None)
    if root == "numpy":
        return _numpy(module, name)
    return _data_class(module, name) if root in ("sklearn", "scipy") else None


def _numpy(module: str, name: str) -> Any:
    """Allow NumPy's number types and elementwise functions, which a FunctionTransformer may hold."""
    found = getattr(np, name, None) if module in ("numpy", "numpy.dtypes") else None
    if module == "numpy.dtypes":
        found = getattr(np.dtypes, name, None)
    is_type = isinstance(found, type) and issubclass(found, np.generic | np.dtype)
    return found if is_type or isinstance(found, np.ufunc) else None


def _data_class(module: str, name: str) -> Any:
    from scipy import sparse
    from sklearn.base import BaseEstimator

    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    # What a module imported from elsewhere is not one of its classes.
    if not isinstance(found, type) or found.__module__.partition(".")[0] not in ("sklearn", "scipy"):
        return None
    if module.startswith("scipy.sparse"):
        kinds = (sparse.sparray, sparse.spmatrix)
        return found if issubclass(found, kinds) else None
    if issubclass(found, BaseEstimator):
        return found
    return found if module.startswith(_PARTS) and found.__module__.startswith(_PARTS) else None


def _unpickler(data: bytes) -> Any:
    """Make joblib's unpickler, which also reads plain pickles, with our own idea of what may be named."""
    from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler

    class Inner(pickle._Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return allowed(module, name)

    class Wrapper(NumpyArrayWrapper):  # type: ignore[misc]
        def read_array(self, unpickler: Any, *more: Any) -> Any:
            # joblib reads arrays of objects, in some versions, with an unpickler that allows everything.
            if not self.dtype.hasobject:
                return super().read_array(unpickler, *more)
            return Inner(unpickler.file_handle).load()

    class Outer(NumpyUnpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
                return Wrapper
            return allowed(module, name)

    import inspect

    options = {"ensure_native_byte_order": True} if len(inspect.signature(NumpyUnpickler).parameters) > 3 else {}
    return Outer("", io.BytesIO(data), **options)

import bz2
import gzip
import io
import lzma
import os
import pickle
import subprocess
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from agnostic.converters import pickles
from agnostic.errors import ConversionError, LimitError

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"], object)[Y]


class Touch:
    """Pickled, it is a call that makes a file."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


ATTACKS = {
    "a function": lambda path: Touch(os.system, f"touch {path}"),
    "a method": lambda path: Touch(Path.touch, path),
    "a class": lambda path: Touch(subprocess.Popen, ["touch", str(path)]),
    "eval": lambda path: Touch(eval, f"open({str(path)!r}, 'w')"),
    "getattr": lambda path: Touch(getattr, Path, "touch"),
    "opening": lambda path: Touch(open, str(path), "w"),
    "numpy reading": lambda path: Touch(np.load, str(path)),
    "joblib reading": lambda path: Touch(joblib.load, str(path)),
    "in an array": lambda path: np.array([Touch(os.system, f"touch {path}")], object),
    "in an estimator": lambda path: FunctionTransformer(Touch(os.system, f"touch {path}")),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("attack", ATTACKS)
def test_code_is_refused_and_not_run(attack: str, protocol: int, tmp_path: Path) -> None:
    touched, file = tmp_path / "touched", tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(ATTACKS[attack](touched), protocol))
    with pytest.raises(ConversionError, match=r"code to run.*nothing of it was run.*agnostic\.convert\(estimator"):
        pickles.load_estimator(file)
    assert not touched.exists()


@pytest.mark.parametrize("attack", ATTACKS)
def test_joblib_files_are_held_to_the_same(attack: str, tmp_path: Path) -> None:
    touched, file = tmp_path / "touched", tmp_path / "model.joblib"
    joblib.dump([np.arange(5), ATTACKS[attack](touched)], file)
    with pytest.raises(ConversionError, match="code to run"):
        pickles.load_estimator(file)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.base", "os.system"),
        ("sklearn.utils", "os"),
        ("sklearn.datasets._base", "load_files"),
        ("sklearn.datasets._openml", "fetch_openml"),
        ("sklearn.utils._joblib", "joblib"),
        ("sklearn.pipeline", "clone"),
        ("sklearn.base", "warnings"),
        ("numpy", "load"),
        ("numpy", "fromfile"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.dtypes", "__loader__"),
        ("scipy.sparse", "load_npz"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("joblib.numpy_pickle", "NDArrayWrapper"),
    ],
)
def test_names_beside_the_data_classes_are_none(module: str, name: str) -> None:
    assert not pickles.is_allowed(module, name)
    # Written as opcodes, without the class that Python would need to make it.
    data = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93."
    with pytest.raises(pickles.NotAllowedError, match=name):
        pickles._unpickler(data).load()


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), SVC(probability=True)),
        RandomForestClassifier(5, random_state=0),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingClassifier(max_iter=3),
        MLPClassifier((4,), max_iter=20, random_state=0),
        KNeighborsClassifier(algorithm="kd_tree"),
        GaussianProcessClassifier(max_iter_predict=3),
        make_pipeline(FunctionTransformer(np.log1p), RandomForestClassifier(3)),
    ],
    ids=lambda estimator: type(getattr(estimator, "steps", [(0, estimator)])[-1][1]).__name__,
)
@pytest.mark.parametrize("how", ["pickle", "joblib", "compressed"])
@pytest.mark.filterwarnings("ignore")
def test_honest_estimators_come_back_equal(estimator: Any, how: str, tmp_path: Path) -> None:
    estimator.fit(X, NAMES)
    file = tmp_path / "model.joblib"
    if how == "pickle":
        file.write_bytes(pickle.dumps(estimator))
    else:
        joblib.dump(estimator, file, compress=3 if how == "compressed" else 0)
    assert np.array_equal(pickles.load_estimator(file).predict_proba(X), estimator.predict_proba(X))


def test_arrays_of_words_come_back(tmp_path: Path) -> None:
    table = np.array([["a", 1.0], ["b", 2.0], ["a", 3.0]], object)
    made = ColumnTransformer([("words", OneHotEncoder(), [0]), ("numbers", StandardScaler(), [1])]).fit(table)
    joblib.dump(made, tmp_path / "t.joblib")
    assert np.allclose(pickles.load_estimator(tmp_path / "t.joblib").transform(table), made.transform(table))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zlib.compress, bytes])
def test_every_compression_of_joblib_is_undone(pack: Any, tmp_path: Path) -> None:
    data = pickle.dumps([1, 2, 3])
    (tmp_path / "x").write_bytes(pack(data))
    assert pickles.unpacked(tmp_path / "x") == data


def test_a_bomb_of_zeros_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "LARGEST", 1000)
    for pack in (gzip.compress, zlib.compress):
        (tmp_path / "x").write_bytes(pack(bytes(10**6)))
        with pytest.raises(LimitError, match="unpacks to more than 1,000 bytes"):
            pickles.unpacked(tmp_path / "x")


@pytest.mark.parametrize("data", [b"\x80\x04", b"\x80\x04\x95", pickle.dumps(StandardScaler())[:-20], b"\x1f\x8bzz"])
def test_damaged_files_are_conversion_errors(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(ConversionError, match=r"x\.pkl"):
        pickles.load_estimator(tmp_path / "x.pkl")


def test_names_are_listed_without_running_anything() -> None:
    assert "os.system" in {
        name.replace("posix", "os") for name in pickles.names_in(pickle.dumps(Touch(os.system, "x"), 2))
    }
    assert pickles.names_in(io.BytesIO(b"no pickle").read()) == set()

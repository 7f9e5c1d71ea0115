import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

X, Y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def iris() -> LogisticRegression:
    fitted = LogisticRegression(max_iter=500).fit(X, np.array(["setosa", "versicolor", "virginica"])[Y])
    joblib.dump(fitted, "iris.joblib")
    np.save("rows.npy", X)
    np.save("row.npy", X[:1].astype(np.float32))
    return fitted


def test_a_conversion_is_described(iris: Any, agnostic: Any) -> None:
    status, out, err = agnostic("convert", "iris.joblib", "-o", "iris.onnx", "--example", "rows.npy", "--json")
    report = json.loads(out)
    assert status == 0 and "converting iris.joblib with scikit-learn" in err
    assert report["framework"] == "sklearn" and report["batches"] == [1, 3, 16]
    assert report["inputs"] == ["X float32 [batch, 4]"] and report["labels"][0] == "setosa"
    assert 0 < report["largest_difference"] < 1e-5 and report["opset"] == 17
    assert report["bytes"] == Path("iris.onnx").stat().st_size
    status, out, err = agnostic("convert", "iris.joblib", "-o", "iris.onnx", "--quiet")
    assert status == 0 and err == "" and "wrote iris.onnx" in out and "in 'probabilities'" in out


def test_explaining_converts_on_the_way(iris: Any, agnostic: Any) -> None:
    command = ("explain", "iris.joblib", "row.npy", "-m", "kernelshap", "-t", "setosa", "--json")
    status, out, err = agnostic(*command)
    assert "is a scikit-learn model: it is converted first" in err and "converted" not in agnostic(*command)[2]
    (item,) = json.loads(out)["items"]
    assert status == 0 and item["predictions"][0]["name"] == iris.predict(X[:1])[0]
    assert Path("row.kernelshap.safetensors").exists()


def test_tables_and_texts_are_examples(agnostic: Any) -> None:
    rng = np.random.default_rng(0)
    table = np.array([[a, w] for a, w in zip(rng.random(60), rng.choice(["red", "blue"], 60), strict=True)], object)
    columns = ColumnTransformer([("n", StandardScaler(), [0]), ("w", OneHotEncoder(), [1])])
    joblib.dump(make_pipeline(columns, LogisticRegression()).fit(table, table[:, 1] == "red"), "table.joblib")
    Path("rows.csv").write_text("x0,x1\n0.5,red\n0.25,blue\n")
    assert agnostic("convert", "table.joblib", "-o", "t.onnx", "--example", "rows.csv", "-q")[0] == 0
    assert [value.name for value in onnx.load("t.onnx").graph.input] == ["x0", "x1"]
    texts = ["good film", "bad film", "good plot", "bad idea"]
    joblib.dump(make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0]), "text.joblib")
    Path("texts.txt").write_text("a good idea\n\nbad plot\n")
    status, out, _ = agnostic("convert", "text.joblib", "-o", "t.onnx", "--example", "texts.txt", "--json", "-q")
    assert status == 0 and json.loads(out)["batches"] == [1, 3, 2]


def _bytes(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


BAD = {
    "unknown": (("x.bin",), 3, "no model file that is known here; what works: "),
    "missing": (("none.keras",), 3, "does not exist; what works"),
    "a picture": (("x.png",), 3, "is a PNG picture"),
    "framework": (("x.bin", "--framework", "torhc"), 2, "did you mean 'torch'"),
    "missing package": (("x.cbm",), 2, "--isolate"),
    "code without a framework": (("net.py:model",), 2, "--framework"),
    "sizes": (("x.cbm", "--input-shape", "a,b"), 2, "expected sizes"),
    "example": (("x.cbm", "--example", "none.npy"), 4, "cannot be read"),
    "ragged table": (("x.cbm", "--example", "bad.csv"), 4, "column names"),
    "flags": (("x.cbm", "--channels", "PINK"), 2, "channels='PINK'"),
    "pickle": (("trap.pkl",), 3, "code to run"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_its_status(case: str, agnostic: Any) -> None:
    _bytes("x.bin", b"nothing")
    _bytes("x.png", b"\x89PNG\r\n\x1a\n" + bytes(9))
    _bytes("x.cbm", b"CBM1" + bytes(9))
    _bytes("bad.csv", b"a,b\n1\n")
    _bytes("trap.pkl", b"\x80\x04cposix\nsystem\n(S'touch touched'\ntR.")
    arguments, due, cause = BAD[case]
    status, out, err = agnostic("convert", *arguments, "-o", "out.onnx")
    last = err.strip().splitlines()[-1]
    assert status == due and out == "" and last.startswith("agnostic: ") and cause in last
    assert "Traceback" not in err and not Path("out.onnx").exists() and not Path("touched").exists()


def test_explaining_a_trap_does_not_spring_it(agnostic: Any) -> None:
    _bytes("trap.joblib", b"\x80\x04cposix\nsystem\n(S'touch touched'\ntR.")
    np.save("row.npy", X[:1])
    status, _, err = agnostic("explain", "trap.joblib", "row.npy")
    assert status == 3 and "names posix.system" in err and not Path("touched").exists()


def test_a_conversion_that_differs_is_not_written(iris: Any, agnostic: Any) -> None:
    status, _, err = agnostic("convert", "iris.joblib", "-o", "iris.onnx", "--tolerance", "0", "-q")
    assert status == 3 and "'probabilities'" in err and "--tolerance" in err
    assert not Path("iris.onnx").exists()


def test_a_folder_that_cannot_be_written_is_a_limit(iris: Any, agnostic: Any) -> None:
    status, _, err = agnostic("convert", "iris.joblib", "-o", "no/such/iris.onnx", "-q")
    assert status == 5 and "cannot be written" in err


def test_environments_are_listed_and_removed(agnostic: Any) -> None:
    status, out, _ = agnostic("environments")
    assert status == 0 and "tensorflow" in out and "not made" in out
    made = Path("cache/environments/torch-0123456789ab")
    made.mkdir(parents=True)
    (made / "complete.json").write_text('{"name": "torch", "megabytes": 12, "packages": []}')
    assert "old: its pins or Python have changed" in agnostic("environments")[1]
    (entry,) = json.loads(agnostic("environments", "--json")[1])["environments"]
    assert entry["megabytes"] == 12 and entry["current"] is False
    status, out, _ = agnostic("environments", "--remove", "torch")
    assert status == 0 and "removed" in out and not made.exists()
    status, _, err = agnostic("environments", "--remove", "pytorch")
    assert status == 2 and "unknown environment 'pytorch'" in err

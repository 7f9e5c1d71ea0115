"""Models of tables from scikit-learn, LightGBM and XGBoost: linear and kernel machines have gradients, trees do not.

The original's gradient is taken by central differences of its own float64 probabilities.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from artefact import Array, Artefact, Sample

SOURCES = ("tables.py",)
_STEP = 1e-5


def cases() -> dict[str, Callable[[], Artefact]]:
    """List the eight models."""
    smooth = {"LogisticRegression": _logistic, "SVC": _svc, "MLP": _mlp, "GaussianProcess": _process}
    trees = {"RandomForest": _forest, "GradientBoosting": _boosting, "LightGBM": _lightgbm, "XGBoost": _xgboost}
    return {
        **{name: (lambda f=fit: _smooth(f())) for name, fit in smooth.items()},
        **{name: (lambda f=fit: _steps(f())) for name, fit in trees.items()},
    }


def _data() -> tuple[Array, Array]:
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    return x.astype(np.float32), y


def _pipeline(model: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model).fit(*_data())


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return _pipeline(LogisticRegression())


def _svc() -> Any:
    from sklearn.svm import SVC

    return _pipeline(SVC(probability=True, random_state=0))


def _mlp() -> Any:
    from sklearn.neural_network import MLPClassifier

    return _pipeline(MLPClassifier((16, 8), activation="tanh", max_iter=400, random_state=0))


def _process() -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    x, y = _data()
    return GaussianProcessRegressor(RBF(1.5), alpha=0.1, optimizer=None).fit(x, y.astype(np.float64))


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(10, max_depth=4, random_state=0).fit(*_data())


def _boosting() -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(n_estimators=8, random_state=0).fit(*_data())


def _lightgbm() -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1).fit(*_data())


def _xgboost() -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=8, n_jobs=1).fit(*_data())


def _exported(model: Any) -> tuple[onnx.ModelProto, str]:
    kind = type(model).__module__.split(".")[0]
    if kind == "sklearn":
        from skl2onnx import to_onnx

        plain = {} if hasattr(model, "predict") and not hasattr(model, "classes_") else {"options": {"zipmap": False}}
        return to_onnx(model, _data()[0][:1], target_opset={"": 17, "ai.onnx.ml": 3}, **plain), "skl2onnx"
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    convert = getattr(onnxmltools, f"convert_{kind}")
    return convert(model, initial_types=[("X", FloatTensorType([None, 4]))], target_opset=15), "onnxmltools"


def _smooth(model: Any) -> Artefact:
    proto, exporter = _exported(model)
    answer = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    output = proto.graph.output[-1].name
    samples = tuple(_sample(answer, output, rows) for rows in ([3, 77], [10, 60, 120]))
    return Artefact(exporter, proto, "X", samples)


def _sample(answer: Callable[[Array], Array], output: str, rows: list[int]) -> Sample:
    x = _data()[0][rows]
    point = x.astype(np.float64)
    base = answer(point)
    shape = base.shape if base.ndim > 1 else (len(base), 1)
    weights = np.random.default_rng(1).standard_normal(shape)
    gradient = np.zeros_like(point)
    for column in range(point.shape[1]):
        step = np.eye(point.shape[1])[column] * _STEP
        slope = (answer(point + step) - answer(point - step)).reshape(shape) / (2 * _STEP)
        gradient[:, column] = (slope * weights).sum(1)
    return Sample({"X": x}, {output: weights}, gradient)


def _steps(model: Any) -> Artefact:
    proto, exporter = _exported(model)
    source = proto.graph.input[0].name
    x = _data()[0]
    samples = tuple(
        Sample({source: x[rows]}, {proto.graph.output[-1].name: np.ones(1)}) for rows in ([3, 77], [10, 60, 120])
    )
    return Artefact(exporter, proto, source, samples, due="refusal")

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from agnostic.converters.torch_import import to_torch
from agnostic.errors import ConversionError

RNG = np.random.default_rng(19)
X = RNG.standard_normal((5, 3)).astype(np.float32)
ML = "ai.onnx.ml"


def one(op: str, attributes: dict[str, Any], kinds: list[int]) -> Any:
    node = helper.make_node(op, ["x"], [f"y{i}" for i in range(len(kinds))], domain=ML, **attributes)
    outputs = [helper.make_tensor_value_info(f"y{i}", kind, None) for i, kind in enumerate(kinds)]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(ML, 1)], ir_version=10)


def flat(*shape: int) -> list[float]:
    return RNG.standard_normal(shape).astype(np.float32).ravel().tolist()


LINEAR = {"coefficients": flat(3, 3), "intercepts": flat(3), "classlabels_ints": [4, 5, 6]}


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Scaler", {"offset": [1.0, 2.0, 3.0], "scale": [0.5, 2.0, 4.0]}),
        *(("Normalizer", {"norm": norm}) for norm in ("L1", "L2")),
        ("LinearRegressor", {"coefficients": flat(2, 3), "intercepts": [0.5, 1.0], "targets": 2}),
    ],
)
def test_values_and_gradients(op: str, attributes: dict[str, Any]) -> None:
    model = one(op, attributes, [TensorProto.FLOAT])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = torch.from_numpy(X).requires_grad_()
    y = to_torch(model)(x)
    np.testing.assert_allclose(y.detach(), session.run(None, {"x": X})[0], rtol=1e-4, atol=1e-5)
    direction = RNG.standard_normal(X.shape).astype(np.float32)
    ends = [session.run(None, {"x": X + h * direction})[0].astype(np.float64).sum() for h in (1e-2, -1e-2)]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    np.testing.assert_allclose((gradient.numpy() * direction).sum(), (ends[0] - ends[1]) / 2e-2, rtol=2e-2, atol=1e-2)


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
def test_linear_classifier(transform: str) -> None:
    model = one("LinearClassifier", {**LINEAR, "post_transform": transform}, [TensorProto.INT64, TensorProto.FLOAT])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    labels, scores = to_torch(model)(torch.from_numpy(X))
    expected = session.run(None, {"x": X})
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(scores, expected[1], rtol=1e-4, atol=1e-6)


def test_text_labels_stay_text() -> None:
    attributes = {**LINEAR, "classlabels_ints": None, "classlabels_strings": ["a", "b", "c"]}
    given = {key: value for key, value in attributes.items() if value is not None}
    labels, scores = to_torch(one("LinearClassifier", given, [TensorProto.STRING, TensorProto.FLOAT]))(
        torch.from_numpy(X)
    )
    assert labels.tolist() == ["abc"[i] for i in scores.argmax(1)]


def test_trees_name_the_methods_that_work() -> None:
    with pytest.raises(ConversionError, match="decision trees have no gradient; occlusion, lime"):
        to_torch(one("TreeEnsembleRegressor", {"n_targets": 1}, [TensorProto.FLOAT]))

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from agnostic.converters.torch_import import to_torch

RNG = np.random.default_rng(22)
X = RNG.standard_normal((5, 3)).astype(np.float32)
ML = "ai.onnx.ml"
KERNELS = [("LINEAR", [0.0] * 3), ("POLY", [0.5, 1.0, 2.0]), ("RBF", [0.4, 0.0, 0.0]), ("SIGMOID", [0.3, 0.1, 0.0])]


def one(op: str, attributes: dict[str, Any], kinds: list[int]) -> Any:
    node = helper.make_node(op, ["x"], [f"y{i}" for i in range(len(kinds))], domain=ML, **attributes)
    outputs = [helper.make_tensor_value_info(f"y{i}", kind, None) for i, kind in enumerate(kinds)]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(ML, 1)], ir_version=10)


def flat(*shape: int) -> list[float]:
    return RNG.standard_normal(shape).astype(np.float32).ravel().tolist()


def session_of(model: Any) -> Any:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("kind", "parameters"), KERNELS)
def test_regressors_and_their_gradients(kind: str, parameters: list[float]) -> None:
    machine = {"coefficients": flat(6), "n_supports": 6, "support_vectors": flat(6, 3), "rho": [0.2]}
    model = one("SVMRegressor", {**machine, "kernel_type": kind, "kernel_params": parameters}, [TensorProto.FLOAT])
    session, x = session_of(model), torch.from_numpy(X).requires_grad_()
    y = to_torch(model)(x)
    np.testing.assert_allclose(y.detach(), session.run(None, {"x": X})[0], rtol=1e-4, atol=1e-5)
    direction = RNG.standard_normal(X.shape).astype(np.float32)
    ends = [session.run(None, {"x": X + h * direction})[0].astype(np.float64).sum() for h in (1e-2, -1e-2)]
    (gradient,) = torch.autograd.grad(y.sum(), x)
    np.testing.assert_allclose((gradient.numpy() * direction).sum(), (ends[0] - ends[1]) / 2e-2, rtol=2e-2, atol=1e-2)


@pytest.mark.parametrize("probabilities", [False, True])
def test_svm_classifier_of_three_classes(probabilities: bool) -> None:
    attributes = {
        "coefficients": flat(2, 6),
        "support_vectors": flat(6, 3),
        "vectors_per_class": [2, 1, 3],
        "rho": flat(3),
        "kernel_type": "RBF",
        "kernel_params": [0.4, 0.0, 0.0],
        "classlabels_ints": [0, 1, 2],
    }
    if probabilities:
        attributes |= {"prob_a": [-1.0, -2.0, -1.5], "prob_b": [0.1, 0.0, -0.1]}
    model = one("SVMClassifier", attributes, [TensorProto.INT64, TensorProto.FLOAT])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    labels, scores = to_torch(model)(torch.from_numpy(X))
    expected = session.run(None, {"x": X})
    np.testing.assert_array_equal(labels, expected[0])
    np.testing.assert_allclose(scores, expected[1], rtol=1e-4, atol=1e-5)

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(14)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture
def fused(check: Any) -> Any:
    def compare(op: str, attributes: dict[str, Any], *inputs: Any, **more: Any) -> None:
        check(op, attributes, *inputs, domain="com.microsoft", opset=17, **{"tolerance": 1e-4, **more})

    return compare


@pytest.mark.parametrize("op", ["BiasGelu", "FastGelu"])
def test_gelus_with_a_bias(fused: Any, op: str) -> None:
    fused(op, {}, floats(2, 3, 4), floats(4))


def test_gelus(fused: Any) -> None:
    fused("Gelu", {}, floats(2, 3))
    fused("QuickGelu", {"alpha": 1.5}, floats(2, 3))


@pytest.mark.parametrize("flags", [{}, {"transA": 1}, {"transB": 1}, {"transBatchA": 1, "transBatchB": 1}])
def test_fused_matmul(fused: Any, flags: dict[str, int]) -> None:
    fused("FusedMatMul", {"alpha": 0.7, **flags}, floats(3, 3, 3), floats(3, 3, 3))


@pytest.mark.parametrize(
    ("activation", "parameters"),
    [("Relu", []), ("LeakyRelu", [0.2]), ("Clip", [-0.5, 0.5]), ("HardSigmoid", [0.3, 0.4])],
)
def test_fused_conv(fused: Any, activation: str, parameters: list[float]) -> None:
    attributes = {"activation": activation, "activation_params": parameters or None, "pads": [1] * 4}
    given = {key: value for key, value in attributes.items() if value is not None}
    fused("FusedConv", given, floats(1, 2, 4, 4), floats(3, 2, 3, 3), floats(3), smooth=activation == "Relu")


def test_fused_conv_adds_before_it_activates(fused: Any) -> None:
    fused("FusedConv", {"activation": "Relu"}, floats(1, 2, 4, 4), floats(3, 2, 1, 1), floats(3), floats(1, 3, 4, 4))


def test_fused_gemm(fused: Any) -> None:
    fused(
        "FusedGemm",
        {"activation": "LeakyRelu", "activation_alpha": 0.3, "transB": 1},
        floats(2, 3),
        floats(4, 3),
        floats(4),
    )


def test_layer_norms_of_sums(fused: Any) -> None:
    fused(
        "SkipLayerNormalization", {"epsilon": 1e-3}, floats(2, 3, 4), floats(2, 3, 4), floats(4), floats(4), floats(4)
    )
    fused("SkipSimplifiedLayerNormalization", {"epsilon": 1e-3}, floats(2, 3, 4), floats(2, 3, 4), floats(4))


def test_simplified_layer_norm_stands_in_the_default_domain(check: Any) -> None:
    check("SimplifiedLayerNormalization", {"axis": -1}, floats(2, 3, 4), floats(4), opset=17, tolerance=1e-4)


def test_embeddings(fused: Any) -> None:
    ids, kinds = np.array([[1, 4, 2]], np.int32), np.array([[0, 1, 1]], np.int32)
    mask = np.array([[1, 1, 0]], np.int32)
    tables = [floats(6, 4), floats(5, 4), floats(2, 4), floats(4), floats(4)]
    fused("EmbedLayerNormalization", {}, ids, kinds, *tables, mask, outputs=2)

from typing import Any

import numpy as np
import pytest

# Judges compute the statistics of these in float32 whatever the input.
SINGLE = {"tolerance": 1e-4, "slope_tolerance": 2e-3}
RNG = np.random.default_rng(4)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def test_batch_normalization(check: Any) -> None:
    check(
        "BatchNormalization",
        {"epsilon": 1e-2},
        floats(2, 3, 4),
        floats(3),
        floats(3),
        floats(3),
        0.5 + RNG.random(3, np.float32),
    )


def test_instance_normalization_of_maps_and_of_single_cells(check: Any) -> None:
    check("InstanceNormalization", {}, floats(2, 3, 4, 4), floats(3), floats(3), tolerance=1e-4)
    check("InstanceNormalization", {}, floats(2, 3, 1), floats(3), floats(3), tolerance=1e-4)


@pytest.mark.parametrize("axis", [-1, 1])
def test_layer_normalization_with_its_statistics(check: Any, axis: int) -> None:
    shape = (4,) if axis == -1 else (3, 4)
    check(
        "LayerNormalization",
        {"axis": axis},
        floats(2, 3, 4),
        floats(*shape),
        floats(*shape),
        outputs=3,
        opset=17,
        **SINGLE,
    )


def test_group_normalization(check: Any) -> None:
    check("GroupNormalization", {"num_groups": 2}, floats(2, 4, 5), floats(4), floats(4), judge="reference", **SINGLE)


def test_rms_normalization(check: Any) -> None:
    check("RMSNormalization", {}, floats(2, 3, 4), floats(4), opset=23, judge="reference")


@pytest.mark.parametrize("size", [3, 5])
def test_lrn(check: Any, size: int) -> None:
    check("LRN", {"size": size, "alpha": 0.5, "beta": 0.7, "bias": 1.5}, floats(1, 6, 2, 2))


@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization(check: Any, p: int) -> None:
    check("LpNormalization", {"p": p, "axis": 1}, floats(2, 3, 4))


def test_mean_variance_normalization(check: Any) -> None:
    check("MeanVarianceNormalization", {"axes": [0, 2]}, floats(2, 3, 4), tolerance=1e-4)

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(18)
REAL, COMPLEX = (RNG.standard_normal((2, 8, parts)).astype(np.float32) for parts in (1, 2))


@pytest.mark.parametrize("length", [None, 6, 11])
@pytest.mark.parametrize("onesided", [0, 1])
def test_dft(check: Any, length: int | None, onesided: int) -> None:
    n = None if length is None else np.array(length, np.int64)
    check("DFT", {"onesided": onesided}, REAL, n, np.array(1, np.int64), opset=20, tolerance=1e-4)


def test_inverse_dft(check: Any) -> None:
    check("DFT", {"inverse": 1}, COMPLEX, None, np.array(1, np.int64), opset=20, tolerance=1e-4)


@pytest.mark.parametrize("onesided", [0, 1])
def test_stft(check: Any, onesided: int) -> None:
    window = RNG.random(4).astype(np.float32)
    inputs = [REAL, np.array(2, np.int64), window, np.array(4, np.int64)]
    check("STFT", {"onesided": onesided}, *inputs, opset=17, tolerance=1e-4)


def test_mel_filters(check: Any) -> None:
    inputs = [np.array(v, np.int64) for v in (8, 64, 8000)] + [np.array(v, np.float32) for v in (100, 4000)]
    check("MelWeightMatrix", {}, *inputs, opset=17, smooth=False)


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
def test_windows_come_from_their_function_bodies(check: Any, op: str) -> None:
    check(op, {"periodic": 0}, np.array(9, np.int64), opset=17, smooth=False)

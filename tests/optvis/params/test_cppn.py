"""Each picture's network, run again place by place in NumPy."""

import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params import cppn
from agnostic.optvis.params.cppn import _ACTIVATIONS


def _bent(values: np.ndarray, activation: str) -> np.ndarray:
    angle = np.arctan(values)
    if activation == "relu":
        return (np.maximum(values, 0) - 0.40) / 0.58
    square = angle**2 / 0.6 if activation == "composite" else (angle**2 - 0.45) / 0.396
    return np.concatenate([angle / 0.67, square])


@pytest.mark.parametrize("activation", ["composite", "unbiased", "relu"])
def test_a_picture_is_its_network_at_every_place(activation: str) -> None:
    stored = cppn(5, 3, activation)(Draws(0, [0, 1]), 3, 4, 6)  # type: ignore[arg-type]
    with torch.no_grad():
        stored.variables["weights.last"].normal_()
    weights = {name: value.detach().numpy().astype(np.float64) for name, value in stored.variables.items()}
    found = stored.raw().detach()
    for picture, row, column in ((0, 0, 0), (1, 3, 5), (1, 2, 1)):
        x, y = -(3**0.5) + 2 * 3**0.5 * column / 5, (4 / 6) * (-(3**0.5) + 2 * 3**0.5 * row / 3)
        values = np.array([x, y])
        for number in range(3):
            sums = weights[f"weights.{number}"][picture] @ values + weights[f"biases.{number}"][picture, :, 0]
            values = _bent(sums, activation)
        expected = weights["weights.last"][picture] @ values
        np.testing.assert_allclose(found[picture, :, row, column], expected, rtol=1e-4, atol=1e-5)


def test_pictures_begin_grey_with_networks_of_their_own() -> None:
    stored = cppn()(Draws(0, [0, 1]), 3, 8, 8)
    assert not stored.raw().any()
    assert stored.learning_rate == 0.005
    assert [tuple(v.shape) for k, v in stored.variables.items() if k.startswith("weights")] == [
        (2, 24, 2), *[(2, 24, 48)] * 7, (2, 3, 48)
    ]  # fmt: skip
    assert not torch.equal(*stored.variables["weights.0"])


def test_normalised_layers_have_no_mean_and_variance_one() -> None:
    seen = []
    bend, growth = _ACTIVATIONS["relu"]
    try:
        _ACTIVATIONS["relu"] = (lambda values: seen.append(values.detach()) or bend(values), growth)  # type: ignore[func-returns-value]
        cppn(6, 3, "relu", normalise=True)(Draws(0, [0]), 3, 16, 16).raw()
    finally:
        _ACTIVATIONS["relu"] = (bend, growth)
    assert len(seen) == 3
    for values in seen:
        np.testing.assert_allclose(values.mean(dim=2), 0, atol=1e-5)
        np.testing.assert_allclose(values.var(dim=2, correction=0), 1, atol=1e-2)


@pytest.mark.parametrize(("activation", "mean", "square"), [("unbiased", 0, 1), ("relu", 0, 1), ("composite", None, 1)])
def test_activations_keep_the_size_of_values(activation: str, mean: float | None, square: float) -> None:
    values = torch.randn(1, 1, 200_000, generator=torch.Generator().manual_seed(0))
    bent = _ACTIVATIONS[activation][0](values)
    np.testing.assert_allclose(bent.square().mean(dim=2), square, atol=0.2)
    if mean is not None:
        np.testing.assert_allclose(bent.mean(dim=2), mean, atol=0.15)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(UsageError, match="composite"):
        cppn(activation="sine")  # type: ignore[arg-type]

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(11)
STEPS, BATCH, SIZE, HIDDEN = 4, 3, 2, 5
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def floats(*shape: int) -> Any:
    return (RNG.standard_normal(shape) / 2).astype(np.float32)


def weights(op: str, directions: int) -> list[Any]:
    gates = GATES[op] * HIDDEN
    return [floats(directions, gates, SIZE), floats(directions, gates, HIDDEN), floats(directions, 2 * gates)]


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_directions_lengths_and_states(check: Any, op: str, direction: str) -> None:
    count = 2 if direction == "bidirectional" else 1
    lengths = np.array([4, 2, 3], np.int32)
    states = [floats(count, BATCH, HIDDEN) for _ in range(2 if op == "LSTM" else 1)]
    inputs = [floats(STEPS, BATCH, SIZE), *weights(op, count), lengths, *states]
    outputs = 3 if op == "LSTM" else 2
    check(op, {"hidden_size": HIDDEN, "direction": direction}, *inputs, outputs=outputs, opset=14, smooth=False)


@pytest.mark.parametrize("op", ["RNN", "GRU", "LSTM"])
def test_gradients(check: Any, op: str) -> None:
    attributes = {"hidden_size": HIDDEN}
    outputs = 3 if op == "LSTM" else 2
    check(op, attributes, floats(STEPS, BATCH, SIZE), *weights(op, 1), outputs=outputs, opset=14)


def test_gru_can_reset_after_the_product(check: Any) -> None:
    check(
        "GRU",
        {"hidden_size": HIDDEN, "linear_before_reset": 1},
        floats(STEPS, BATCH, SIZE),
        *weights("GRU", 1),
        outputs=2,
        opset=14,
    )


def test_lstm_with_peepholes(check: Any) -> None:
    inputs = [floats(STEPS, BATCH, SIZE), *weights("LSTM", 1), None, None, None, floats(1, 3 * HIDDEN)]
    check("LSTM", {"hidden_size": HIDDEN}, *inputs, outputs=3, opset=14, smooth=False)


def test_lstm_with_coupled_gates_and_a_clip(check: Any) -> None:
    attributes = {"hidden_size": HIDDEN, "input_forget": 1, "clip": 0.4}
    check("LSTM", attributes, floats(STEPS, BATCH, SIZE), *weights("LSTM", 1), outputs=3, opset=14, smooth=False)


@pytest.mark.parametrize(
    ("name", "alpha", "beta"),
    [
        ("Affine", 0.5, 0.1),
        ("Elu", 0.7, 0.0),
        ("HardSigmoid", 0.3, 0.4),
        ("LeakyRelu", 0.2, 0.0),
        ("Relu", 0.0, 0.0),
        ("ScaledTanh", 0.8, 0.9),
        ("Softplus", 0.0, 0.0),
        ("Softsign", 0.0, 0.0),
        ("ThresholdedRelu", 0.1, 0.0),
    ],
)
def test_activations(check: Any, name: str, alpha: float, beta: float) -> None:
    attributes = {"hidden_size": HIDDEN, "activations": [name], "activation_alpha": [alpha], "activation_beta": [beta]}
    if not alpha:
        attributes = {"hidden_size": HIDDEN, "activations": [name]}
    check("RNN", attributes, floats(STEPS, BATCH, SIZE), *weights("RNN", 1), outputs=2, opset=14, smooth=False)

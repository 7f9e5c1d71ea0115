"""RNN, GRU and LSTM with every attribute, in both directions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.ops.selection import reverse_sequence
from agnostic.converters.torch_import.registry import operator

Activation = Callable[[Tensor], Tensor]
State = tuple[Tensor, ...]
Cell = Callable[[Tensor, State], State]


class Layout(NamedTuple):
    """How sequences lie: lengths per sample, batch first or time first, and the directions to run."""

    lengths: Tensor | None
    batch_first: bool
    directions: tuple[bool, ...]

    @classmethod
    def of(cls, lengths: Tensor | None, layout: int, direction: str) -> "Layout":
        """Read the attributes; a direction is True where it runs backwards."""
        runs = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
        return cls(lengths, bool(layout), runs[direction])


# The default alpha and beta of each activation; names are compared in lower case.
_PARAMETERS: dict[str, tuple[float | None, float | None]] = {
    "affine": (1.0, 0.0),
    "elu": (1.0, None),
    "hardsigmoid": (0.2, 0.5),
    "leakyrelu": (0.01, None),
    "relu": (None, None),
    "scaledtanh": (1.0, 1.0),
    "sigmoid": (None, None),
    "softplus": (None, None),
    "softsign": (None, None),
    "tanh": (None, None),
    "thresholdedrelu": (1.0, None),
}


def _activation(name: str, a: float, b: float, clip: float) -> Activation:
    """Build one activation; its input is limited to ±clip where clip is not zero."""
    table: dict[str, Activation] = {
        "affine": lambda x: a * x + b,
        "elu": lambda x: F.elu(x, a),
        "hardsigmoid": lambda x: torch.clamp(a * x + b, 0, 1),
        "leakyrelu": lambda x: F.leaky_relu(x, a),
        "relu": torch.relu,
        "scaledtanh": lambda x: a * torch.tanh(b * x),
        "sigmoid": torch.sigmoid,
        "softplus": F.softplus,
        "softsign": F.softsign,
        "tanh": torch.tanh,
        "thresholdedrelu": lambda x: torch.where(x > a, x, 0),
    }
    function = table[name]
    return (lambda x: function(x.clamp(-clip, clip))) if clip else function


def activations(
    names: Sequence[str], alphas: Sequence[float] | None, betas: Sequence[float] | None, clip: float
) -> list[Activation]:
    """Build the activations of all directions; alphas and betas go, in order, to those that take one."""
    left, right = iter(alphas or ()), iter(betas or ())
    built = []
    for name in names:
        key = name.lower()
        if key not in _PARAMETERS:
            raise ValueError(f"activation {name!r} is unknown; known: {', '.join(_PARAMETERS)}")
        alpha, beta = _PARAMETERS[key]
        a = 0.0 if alpha is None else next(left, alpha)
        b = 0.0 if beta is None else next(right, beta)
        built.append(_activation(key, a, b, clip))
    return built


def unrolled(x: Tensor, layout: Layout, initial: Sequence[Tensor | None], size: int, cells: Sequence[Cell]) -> State:
    """Run a cell per direction over x and stack what they give: the outputs, then each final state."""
    x = x.transpose(0, 1) if layout.batch_first else x
    sequences, finals = [], []
    for index, (backwards, cell) in enumerate(zip(layout.directions, cells, strict=True)):
        state = tuple(_initial(x, value, index, layout.batch_first, size) for value in initial)
        outputs, state = _run(_turned(x, layout.lengths) if backwards else x, layout.lengths, state, cell)
        sequences.append(_turned(outputs, layout.lengths) if backwards else outputs)
        finals.append(state)
    y = torch.stack(sequences, 1)
    last = [torch.stack(values) for values in zip(*finals, strict=True)]
    if layout.batch_first:
        return y.permute(2, 0, 1, 3), *(value.transpose(0, 1) for value in last)
    return y, *last


def _initial(x: Tensor, value: Tensor | None, index: int, batch_first: bool, size: int) -> Tensor:
    if value is None:
        return x.new_zeros(x.shape[1], size)
    return value[:, index] if batch_first else value[index]


def _turned(x: Tensor, lengths: Tensor | None) -> Tensor:
    return x.flip(0) if lengths is None else reverse_sequence(x, lengths.long())


def _run(x: Tensor, lengths: Tensor | None, state: State, cell: Cell) -> tuple[Tensor, State]:
    """Step through time; a sample past its length keeps its state and gives zero."""
    outputs = []
    for t, step in enumerate(x.unbind(0)):
        new = cell(step, state)
        if lengths is None:
            state = new
            outputs.append(new[0])
            continue
        alive = (t < lengths)[:, None]
        state = tuple(torch.where(alive, a, b) for a, b in zip(new, state, strict=True))
        outputs.append(torch.where(alive, new[0], 0))
    return torch.stack(outputs), state


def _biases(b: Tensor | None, like: Tensor) -> Tensor:
    return like.new_zeros(like.shape[0], 2 * like.shape[1]) if b is None else b


@operator("RNN")
def rnn(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    initial_h: Tensor | None = None,
    *,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
) -> State:
    """Elman network: h = f(x W + h R + b)."""
    plan = Layout.of(lengths, layout, direction)
    functions = _functions(activations or ["Tanh"] * len(plan.directions), activation_alpha, activation_beta, clip)
    bias = _biases(b, w).reshape(len(w), 2, -1).sum(1)
    cells = [_rnn_cell(w[i], r[i], bias[i], functions[i]) for i in range(len(plan.directions))]
    return unrolled(x, plan, [initial_h], r.shape[-1], cells)


_functions = activations


def _rnn_cell(w: Tensor, r: Tensor, bias: Tensor, f: Activation) -> Cell:
    return lambda x, state: (f(F.linear(x, w, bias) + F.linear(state[0], r)),)


@operator("GRU")
def gru(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    initial_h: Tensor | None = None,
    *,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int | None = None,
    layout: int = 0,
    linear_before_reset: int = 0,
) -> State:
    """Gated recurrent unit (Cho et al., 2014), gates in the order update, reset, hidden."""
    plan = Layout.of(lengths, layout, direction)
    names = activations or ["Sigmoid", "Tanh"] * len(plan.directions)
    functions = _functions(names, activation_alpha, activation_beta, clip)
    biases = _biases(b, w)
    cells = [
        _gru_cell(w[i], r[i], biases[i], functions[2 * i : 2 * i + 2], bool(linear_before_reset))
        for i in range(len(plan.directions))
    ]
    return unrolled(x, plan, [initial_h], r.shape[-1], cells)


def _gru_cell(w: Tensor, r: Tensor, bias: Tensor, functions: Sequence[Activation], linear_first: bool) -> Cell:
    f, g = functions
    wb, rb = bias.chunk(2)
    n = r.shape[-1]

    def cell(x: Tensor, state: State) -> State:
        (h,) = state
        inputs = F.linear(x, w, wb)
        gates = F.linear(h, r[: 2 * n], rb[: 2 * n])
        z, reset = f(inputs[:, :n] + gates[:, :n]), f(inputs[:, n : 2 * n] + gates[:, n:])
        rh, bh = r[2 * n :], rb[2 * n :]
        hidden = reset * F.linear(h, rh, bh) if linear_first else F.linear(reset * h, rh, bh)
        return ((1 - z) * g(inputs[:, 2 * n :] + hidden) + z * h,)

    return cell


@operator("LSTM")
def lstm(
    x: Tensor,
    w: Tensor,
    r: Tensor,
    b: Tensor | None = None,
    lengths: Tensor | None = None,
    initial_h: Tensor | None = None,
    initial_c: Tensor | None = None,
    p: Tensor | None = None,
    *,
    activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None,
    activations: list[str] | None = None,
    clip: float = 0.0,
    direction: str = "forward",
    hidden_size: int | None = None,
    input_forget: int = 0,
    layout: int = 0,
) -> State:
    """Long short-term memory with peepholes (Gers et al., 2002), gates in the order input, output, forget, cell."""
    plan = Layout.of(lengths, layout, direction)
    names = activations or ["Sigmoid", "Tanh", "Tanh"] * len(plan.directions)
    functions = _functions(names, activation_alpha, activation_beta, clip)
    bias = _biases(b, w).reshape(len(w), 2, -1).sum(1)
    cells = [
        _lstm_cell(w[i], r[i], bias[i], None if p is None else p[i], functions[3 * i : 3 * i + 3], bool(input_forget))
        for i in range(len(plan.directions))
    ]
    return unrolled(x, plan, [initial_h, initial_c], r.shape[-1], cells)


def _lstm_cell(
    w: Tensor, r: Tensor, bias: Tensor, p: Tensor | None, functions: Sequence[Activation], coupled: bool
) -> Cell:
    f, g, squash = functions
    pi, po, pf = (0, 0, 0) if p is None else p.chunk(3)

    def cell(x: Tensor, state: State) -> State:
        h, c = state
        inputs, outputs, forgets, candidates = (F.linear(x, w, bias) + F.linear(h, r)).chunk(4, -1)
        i = f(inputs + pi * c)
        forget = 1 - i if coupled else f(forgets + pf * c)
        c = forget * c + i * g(candidates)
        return f(outputs + po * c) * squash(c), c

    return cell

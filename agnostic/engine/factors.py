"""What the gradient of a linear layer is made of: its inputs, and the gradient of the loss by its outputs.

A layer's gradient on one row is the sum over places of their outer products, so that these two tell all gradients of
all rows after a single pass. Convolutions are products with patches.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.autograd import torch_errors
from agnostic.engine.parameters import Ints, Parameter, Parameters
from agnostic.engine.target import Array, Floats
from agnostic.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from agnostic.converters.torch_import.weights import LinearLayer


class Factors(NamedTuple):
    """One layer on b rows, at t places each.

    Attributes:
        inputs: (b, t, i) what the weights are multiplied with; a last one of ones where there is a bias.
        slopes: (b, t, o) the gradient of each row's loss by the layer's outputs.
    """

    inputs: npt.NDArray[np.float32]
    slopes: npt.NDArray[np.float32]

    def gradients(self) -> npt.NDArray[np.float32]:
        """Each row's gradient as a matrix: (b, o, i)."""
        found: npt.NDArray[np.float32] = np.matmul(self.slopes.transpose(0, 2, 1), self.inputs)
        return found


class Layout(NamedTuple):
    """Where a layer's weights lie in the vector of all, and how they become a matrix (o, i).

    Attributes:
        layer: the layer.
        weight, bias: the tensors.
        turned: whether the weights are stored as (i, o).
    """

    layer: "LinearLayer"
    weight: Parameter
    bias: Parameter | None
    turned: bool

    def matrix(self, vector: Floats) -> Floats:
        """Take the layer's part of a vector: (o, i), with the bias as a last column."""
        block = vector[self.weight.start : self.weight.stop].reshape(self.weight.shape)
        flat = block.T if self.turned else block.reshape(len(block), -1)
        if self.bias is None:
            return flat
        return np.concatenate([flat, vector[self.bias.start : self.bias.stop].reshape(-1, 1)], axis=1)

    def put(self, matrix: Floats, vector: Floats) -> None:
        """Write a matrix back into its part of a vector."""
        flat = matrix if self.bias is None else matrix[:, :-1]
        vector[self.weight.start : self.weight.stop] = (flat.T if self.turned else flat).reshape(-1)
        if self.bias is not None:
            vector[self.bias.start : self.bias.stop] = matrix[:, -1]


def layouts(parameters: Parameters) -> tuple[Layout, ...]:
    """The linear layers that the chosen weights make up.

    Raises:
        ModelError: a weight belongs to no linear layer, to several, or to a kind that does not factorise.
    """
    from agnostic.converters.torch_import.weights import linear_layers

    held = {item.name: item for item in parameters.table}
    made = [_layout(layer, held) for layer in linear_layers(parameters.module.graph) if layer.weight in held]
    used = [name for item in made for name in (item.layer.weight, item.layer.bias) if name is not None]
    odd = next((name for name in held if used.count(name) != 1), None)
    if odd is not None:
        raise ModelError(
            f"the weights {odd!r} are not those of one convolution or matrix product with its bias, so they do not "
            "factorise; take the solver cg, or leave them out with --weights"
        )
    return tuple(made)


def _layout(layer: "LinearLayer", held: Mapping[str, Parameter]) -> Layout:
    settings = _settings(layer)
    weight = held[layer.weight]
    if layer.step.kind[1] == "Conv" and (settings.get("group", 1) != 1 or len(weight.shape) not in (3, 4)):
        raise ModelError(
            f"{layer.step.name!r} is a grouped or three-dimensional convolution, which does not factorise; take the "
            "solver cg, or leave it out with --weights"
        )
    plain_gemm = settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0 and not settings.get("transA", 0)
    if layer.step.kind[1] != "Conv" and (len(weight.shape) != 2 or not plain_gemm):
        raise ModelError(f"{layer.step.name!r} scales or turns its factors; take the solver cg")
    turned = layer.step.kind[1] == "MatMul" or (layer.step.kind[1] == "Gemm" and not settings.get("transB", 0))
    return Layout(layer, weight, held.get(layer.bias) if layer.bias else None, turned)


def _settings(layer: "LinearLayer") -> dict[str, object]:
    """The attributes of the layer's node."""
    return dict(getattr(layer.step.function, "keywords", {}))


def factors(
    parameters: Parameters, layers: Sequence[Layout], feeds: Mapping[str, Array], labels: Ints | None, seed: int = 0
) -> list[Factors]:
    """Take every layer's factors on some rows, in one pass.

    Args:
        parameters: the model's weights.
        layers: the layers.
        feeds: the rows.
        labels: (b,) what the loss is taken for; drawn from the model's own probabilities where there are none.
        seed: of that draw.
    """
    import torch

    with torch.enable_grad(), torch_errors():
        probes: dict[str, Tensor] = {}
        seen: dict[str, Tensor] = {}

        def probe(name: str, value: "Tensor") -> "Tensor":
            probes[name] = torch.zeros_like(value, requires_grad=True)
            return value + probes[name]

        def look(name: str, value: "Tensor") -> "Tensor":
            seen[name] = value.detach()
            return value

        outputs = {item.layer.output for item in layers}
        sources = {item.layer.source for item in layers}

        def hook(name: str, value: "Tensor") -> "Tensor":
            value = probe(name, value) if name in outputs else value
            return look(name, value) if name in sources else value

        hooks = {name: (lambda value, name=name: hook(name, value)) for name in outputs | sources}
        scores = parameters.scores_under(feeds, hooks)
        given = _drawn(scores, seed) if labels is None else torch.from_numpy(np.array(labels)).to(scores.device)
        loss = torch.nn.functional.cross_entropy(scores, given, reduction="sum")
        slopes = torch.autograd.grad(loss, [probes[item.layer.output] for item in layers])
        return [
            _factors(item, seen[item.layer.source], slope, len(scores))
            for item, slope in zip(layers, slopes, strict=True)
        ]


def _drawn(scores: "Tensor", seed: int) -> "Tensor":
    """Draw a class for each row from its probabilities."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    chances = scores.detach().softmax(dim=1).cpu()
    return torch.multinomial(chances, 1, generator=generator)[:, 0].to(scores.device)


def _factors(item: Layout, source: "Tensor", slope: "Tensor", rows: int) -> Factors:
    if item.layer.step.kind[1] == "Conv":
        inputs = _patches(item, source)
        slopes = slope.flatten(2).transpose(1, 2)
    else:
        inputs = source.reshape(rows, -1, source.shape[-1])
        slopes = slope.reshape(rows, -1, slope.shape[-1])
    wide = inputs.float().cpu().numpy()
    if item.bias is not None:
        wide = np.concatenate([wide, np.ones((*wide.shape[:2], 1), np.float32)], axis=2)
    return Factors(wide, slopes.float().cpu().numpy())


def _patches(item: Layout, source: "Tensor") -> "Tensor":
    """What a convolution's weights are multiplied with: (b, places, channels x kernel)."""
    import torch

    from agnostic.converters.torch_import.ops.window import extents, padded, paddings

    settings, kernel = _settings(item.layer), item.weight.shape[2:]
    dilations = list(settings.get("dilations") or [1] * len(kernel))  # type: ignore[call-overload]
    strides = list(settings.get("strides") or [1] * len(kernel))  # type: ignore[call-overload]
    pads = paddings(
        source.shape[2:], extents(kernel, dilations), strides, str(settings.get("auto_pad", "NOTSET")),
        settings.get("pads"),  # type: ignore[arg-type]
    )  # fmt: skip
    around = padded(source, pads)
    if len(kernel) == 1:
        around, kernel, dilations, strides = around[:, :, None], (1, *kernel), [1, *dilations], [1, *strides]
    return torch.nn.functional.unfold(around, kernel, dilations, 0, strides).transpose(1, 2)

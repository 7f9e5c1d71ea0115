"""Small networks with perturbed weights, and their exports."""

import io
import warnings

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn


class Residual(nn.Module):
    """A convolutional net with batch norms, a shortcut, a strided block and a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)
        )
        self.down = nn.Conv2d(8, 12, 3, 2, 1, groups=4)
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(x + self.block(x))
        return self.head(self.down(x).mean((2, 3)))


class Tokens(nn.Module):
    """A vision transformer: patches, a class token, positions, two encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 17, 16))
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        t = self.patches(x).flatten(2).transpose(1, 2)
        t = torch.cat([self.token.expand(len(t), -1, -1), t], 1) + self.places
        for layer in self.layers:
            t = layer(t)
        return self.head(t[:, 0])


class Layer(nn.Module):
    """A pre-norm encoder layer with attention written out."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.a, self.b = nn.LayerNorm(16), nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (part.unflatten(-1, (4, 4)).transpose(1, 2) for part in self.qkv(self.a(x)).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / 2
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], float("-inf"))
        x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.b(x))


class Words(nn.Module):
    """A text encoder: token ids and a padding mask to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(20, 16), nn.Embedding(8, 16)
        self.layer, self.head = Layer(), nn.Linear(16, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        return self.head(self.layer(x, mask)[:, 0])


class Recurrent(nn.Module):
    """A two-layer bidirectional LSTM and a GRU over a series."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)
        self.gru, self.head = nn.GRU(12, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(self.lstm(x)[0])[0][:, -1])


def perturbed(module: nn.Module) -> nn.Module:
    """Move every parameter and statistic away from its initial value, as training does."""
    generator = torch.Generator().manual_seed(0)
    for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
        tensor.data += 0.1 * torch.rand(tensor.shape, generator=generator)
    return module.eval().requires_grad_(False)


def exported(module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], **options: object) -> ModelProto:
    """Export with a free batch axis."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            module,
            inputs,
            stream,
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "n"} for name in names},
            opset_version=17,
            dynamo=False,
            **options,
        )
    return onnx.load_from_string(stream.getvalue())

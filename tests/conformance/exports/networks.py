"""Networks written out in torch: recurrent, tabular and token nets, and a small one of each kind."""

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """Two layers, both directions, of an LSTM or a GRU over a series, read at its last step."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.cells = kind(5, 8, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x)[0][:, -1])


class UNet(nn.Module):
    """Down, across and up again, with instance norms, transposed convolutions and shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = _twice(3, 8), _twice(8, 16), _twice(16, 32)
        self.up, self.upper = nn.ConvTranspose2d(32, 16, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear")
        self.right, self.last = _twice(32, 16), nn.Conv2d(24, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x)
        b = self.second(nn.functional.max_pool2d(a, 2))
        c = self.third(nn.functional.max_pool2d(b, 2))
        d = self.right(torch.cat([self.up(c), b], 1))
        return self.last(torch.cat([self.upper(d), a], 1))


def _twice(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers += [nn.Conv2d(width, after, 3, padding=1), nn.InstanceNorm2d(after, affine=True), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers)


class Encoder(nn.Module):
    """torch's own TransformerEncoder over a projected series."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", batch_first=True, norm_first=True)
        self.into = nn.Linear(6, 16)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.into(x)).mean(1))


class Tabular(nn.Module):
    """A gated perceptron over a row of numbers, with batch norms as such nets have them."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.into, self.gate = nn.BatchNorm1d(10), nn.Linear(10, 24), nn.Linear(10, 24)
        self.deep = nn.Sequential(nn.Linear(24, 24), nn.BatchNorm1d(24), nn.SELU(), nn.Linear(24, 24), nn.Mish())
        self.head = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        h = nn.functional.gelu(self.into(x)) * torch.sigmoid(self.gate(x))
        return self.head(h + self.deep(h)).log_softmax(-1)


class Residual(nn.Module):
    """A small residual net: the CNN of the deployed variants."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.left = nn.Sequential(
            nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1)
        )
        self.down = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1, groups=4), nn.ReLU())
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.down(torch.relu(x + self.left(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Plain(nn.Module):
    """A chain of convolutions and pools: the second CNN that is quantised."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(12 * 16, 5),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Attention(nn.Module):
    """Attention written out as two products around a softmax, with a mask for padding where one is given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None], float("-inf"))
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """A pre-norm layer of attention and a perceptron."""

    def __init__(self, width: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.before, self.attention, self.between = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.before(x), mask)
        return x + self.mlp(self.between(x))


class Tokens(nn.Module):
    """A small vision transformer: the ViT of the deployed variants."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.zeros(1, 17, 16))
        self.layers, self.norm = nn.ModuleList([Layer(), Layer()]), nn.LayerNorm(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        t = self.patches(x).flatten(2).transpose(1, 2)
        t = torch.cat([self.token.expand(t.shape[0], -1, -1), t], 1) + self.places
        for layer in self.layers:
            t = layer(t)
        return self.head(self.norm(t)[:, 0])


class Words(nn.Module):
    """A small BERT: token ids and a padding mask to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(99, 16), nn.Embedding(12, 16)
        self.norm, self.layers = nn.LayerNorm(16), nn.ModuleList([Layer(), Layer()])
        self.head = nn.Linear(16, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x, mask.bool())
        return self.head(torch.tanh(x[:, 0]))

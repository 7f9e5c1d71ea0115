"""Designs of torchvision and timm, which import only with compiled operators, written out: same blocks, fewer."""

import torch
from torch import Tensor, nn


def unit(before: int, after: int, kernel: int | tuple[int, int] = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolve without bias, normalise by batch, rectify."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (sides[0] // 2, sides[1] // 2)
    convolution = nn.Conv2d(before, after, sides, stride, padding, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


class DenseLayer(nn.Module):
    """Norm, rectify, convolve twice, and append to all that came before."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 4 * growth, 1, bias=False))
        self.wide = nn.Sequential(
            nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, 1, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.wide(self.narrow(x))], 1)


class DenseNet(nn.Module):
    """DenseNet: blocks of 4, 6 and 4 layers, transitions that halve width and size."""

    def __init__(self, growth: int = 8) -> None:
        super().__init__()
        width = 2 * growth
        layers: list[nn.Module] = [nn.Sequential(unit(3, width, 7, 2), nn.MaxPool2d(3, 2, 1))]
        for index, depth in enumerate((4, 6, 4)):
            layers += [DenseLayer(width + i * growth, growth) for i in range(depth)]
            width += depth * growth
            if index < 2:
                layers += [
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                    nn.Conv2d(width, width // 2, 1, bias=False),
                    nn.AvgPool2d(2),
                ]
                width //= 2
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class Mixed(nn.Module):
    """An Inception block: a point, a factorised 1x7 and 7x1 pair, a double 3x3 and a pooled branch side by side."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.point = unit(width, 8)
        self.lines = nn.Sequential(unit(width, 8), unit(8, 8, (1, 7)), unit(8, 8, (7, 1)))
        self.squares = nn.Sequential(unit(width, 8), unit(8, 12, 3), unit(12, 12, 3))
        self.pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), unit(width, 4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.point(x), self.lines(x), self.squares(x), self.pooled(x)], 1)


class Inception(nn.Module):
    """Inception v3: channels rescaled, mixed blocks, ceil-mode pooling, dropout before the head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(unit(3, 8, 3, 2), unit(8, 16, 3), nn.MaxPool2d(3, 2))
        self.blocks = nn.Sequential(Mixed(16), Mixed(32), nn.MaxPool2d(3, 2, ceil_mode=True), Mixed(32), Mixed(32))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Dropout(), nn.Flatten(), nn.Linear(32, 7))

    def forward(self, x: Tensor) -> Tensor:
        channels = [
            x[:, i : i + 1] * scale + shift
            for i, (scale, shift) in enumerate(((0.46, -0.03), (0.45, -0.09), (0.45, -0.19)))
        ]
        return self.head(self.blocks(self.stem(torch.cat(channels, 1))))


class Inverted(nn.Module):
    """MobileNetV3's block: expand, convolve by channel, squeeze and excite, project, shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        wide = 3 * before
        self.expand = nn.Sequential(
            nn.Conv2d(before, wide, 1, bias=False), nn.BatchNorm2d(wide, eps=1e-3), nn.Hardswish()
        )
        depthwise = nn.Conv2d(wide, wide, 5, stride, 2, groups=wide, bias=False)
        self.spread = nn.Sequential(depthwise, nn.BatchNorm2d(wide, eps=1e-3), nn.Hardswish())
        squeeze = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 8, 1), nn.ReLU(), nn.Conv2d(8, wide, 1), nn.Hardsigmoid()]
        self.excite = nn.Sequential(*squeeze)
        self.project = nn.Sequential(nn.Conv2d(wide, after, 1, bias=False), nn.BatchNorm2d(after, eps=1e-3))
        self.same = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        wide = self.spread(self.expand(x))
        y = self.project(wide * self.excite(wide))
        return x + y if self.same else y


class MobileNetV3(nn.Module):
    """A stem, six inverted blocks and a two-layer head."""

    def __init__(self) -> None:
        super().__init__()
        plan = ((8, 8, 1), (8, 12, 2), (12, 12, 1), (12, 16, 2), (16, 16, 1), (16, 16, 1))
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.blocks = nn.Sequential(*(Inverted(*row) for row in plan))
        self.head = nn.Sequential(nn.Linear(16, 24), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(24, 7))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Mixer(nn.Module):
    """MLP-Mixer: perceptrons over patches and over channels in turn."""

    def __init__(self, width: int = 16, patches: int = 64) -> None:
        super().__init__()
        self.patches, self.norms = nn.Conv2d(3, width, 4, 4), nn.ModuleList(nn.LayerNorm(width) for _ in range(7))
        sizes = [size for _ in range(3) for size in (patches, width)]
        self.mixes = nn.ModuleList(nn.Sequential(nn.Linear(s, 24), nn.GELU(), nn.Linear(24, s)) for s in sizes)
        self.head = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        for index, (norm, mix) in enumerate(zip(self.norms, self.mixes, strict=False)):
            y = norm(x)
            x = x + (mix(y) if index % 2 else mix(y.transpose(1, 2)).transpose(1, 2))
        return self.head(self.norms[-1](x).mean(1))


class PackedViT(nn.Module):
    """torchvision's ViT: nn.MultiheadAttention with packed weights, asked for no attention maps."""

    def __init__(self, width: int = 32, side: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 8, 8)
        self.token, self.places = (
            nn.Parameter(torch.zeros(1, 1, width)),
            nn.Parameter(torch.zeros(1, side**2 + 1, width)),
        )
        self.attentions = nn.ModuleList(nn.MultiheadAttention(width, 4, batch_first=True) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for _ in range(5))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(2)
        )
        self.head = nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        n, width = x.shape[0], self.token.shape[-1]
        x = self.patches(x).reshape(n, width, -1).permute(0, 2, 1)
        x = torch.cat([self.token.expand(n, -1, -1), x], 1) + self.places
        for index, (attention, mlp) in enumerate(zip(self.attentions, self.mlps, strict=True)):
            y = self.norms[2 * index](x)
            x = x + attention(y, y, y, need_weights=False)[0]
            x = x + mlp(self.norms[2 * index + 1](x))
        return self.head(self.norms[-1](x)[:, 0])


class MaxViT(nn.Module):
    """MaxViT's idea at one scale: attention within blocks, then over a grid, between inverted convolutions."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.GELU(), Inverted(width, width, 2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.queries = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(2, 4, 16, 16))
        self.mix, self.head = Inverted(width, width, 1), nn.Linear(width, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for index in (0, 1):
            x = x + self._attended(x, index)
        return self.head(self.mix(x).mean((2, 3)))

    def _attended(self, x: Tensor, index: int) -> Tensor:
        n, width, height, breadth = x.shape
        split = x.reshape(n, width, height // 4, 4, breadth // 4, 4)
        order = (0, 2, 4, 3, 5, 1) if index == 0 else (0, 3, 5, 2, 4, 1)
        windows = split.permute(order).reshape(n, -1, 16, width)
        packed = self.queries[index](self.norms[index](windows))
        q, k, v = packed.unflatten(-1, (3, 4, -1)).permute(3, 0, 1, 4, 2, 5)
        mixed = ((q @ k.transpose(-1, -2)) * 0.5 + self.bias[index]).softmax(-1) @ v
        rows = mixed.transpose(2, 3).reshape(n, *(split.permute(order).shape[1:]))
        back = [order.index(axis) for axis in range(6)]
        return rows.permute(back).reshape(n, width, height, breadth)

"""What a gradient costs on the re-import, against the torch module that the file was exported from.

Forward plus backward of both, interleaved in one run: `python tests/benchmarks/bench_gradients.py [--rounds N]`.
Prints the ratio of the medians of processor time and wall time, the largest difference of the two gradients, and the
memory that 50-step integrated gradients take above a loaded EfficientNet-lite0.
"""

import argparse
import io
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from agnostic.converters.torch_import import to_torch

BATCH = 8


class Bottleneck(nn.Module):
    """A block of ResNet-50."""

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for sizes, kernel in (((wide, narrow), 1), ((narrow, narrow), 3), ((narrow, wide), 1)):
            layers += [nn.Conv2d(*sizes, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(sizes[1]), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + x)


def resnet() -> nn.Module:
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks = [nn.Conv2d(64, 256, 1), *(Bottleneck(256, 64) for _ in range(4)), nn.Conv2d(256, 512, 1, 2)]
    blocks += [Bottleneck(512, 128) for _ in range(4)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 100))


class Attention(nn.Module):
    """Self-attention written out, then a two-layer perceptron, each behind a LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.behind = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        q, k, v = self.qkv(self.before(x)).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        shares = ((q @ k.transpose(-1, -2)) * (c // self.heads) ** -0.5).softmax(-1)
        x = x + self.out((shares @ v).transpose(1, 2).reshape(n, t, c))
        return x + self.mlp(self.behind(x))


class Vit(nn.Module):
    """Six blocks of width 192 over patches of 16."""

    def __init__(self, width: int = 192) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.blocks = nn.Sequential(*(Attention(width, 3) for _ in range(6)))
        self.head = nn.Linear(width, 100)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.blocks(tokens).mean(1))


def tiny() -> nn.Module:
    layers = [module for _ in range(20) for module in (nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())]
    for layer in layers[::2]:
        # Near the identity, so that the picture is still there behind twenty of them.
        nn.init.dirac_(layer.weight)  # type: ignore[arg-type]
        layer.weight.data += 0.05 * torch.randn_like(layer.weight)  # type: ignore[arg-type,operator,union-attr]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


NETS: dict[str, tuple[Callable[[], nn.Module], int, int]] = {
    "ResNet-50-like": (resnet, 128, 1),
    "ViT-like": (Vit, 128, 2),
    "20 tiny convolutions": (tiny, 16, 20),
}


def exported(module: nn.Module, x: Tensor) -> onnx.ModelProto:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"x": {0: "batch"}, "y": {0: "batch"}}
        torch.onnx.export(module, (x,), buffer, input_names=["x"], output_names=["y"], dynamic_axes=axes, dynamo=False)
    return onnx.load_model_from_string(buffer.getvalue())


def gradient(module: nn.Module, x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(module(leaf)[:, 0].sum(), leaf)[0]


def timed(work: Callable[[], object], times: int) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        work()
    return time.process_time() - cpu, time.perf_counter() - wall


def race(name: str, rounds: int) -> str:
    make, size, times = NETS[name]
    torch.manual_seed(0)
    original, x = make().eval().requires_grad_(False), torch.randn(BATCH, 3, size, size)
    proto = exported(original, x)
    copy, apart = to_torch(proto), apart_in_double(make, proto, original, x)
    sides = (original, copy)
    laps: list[list[tuple[float, float]]] = [[], []]
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            laps[side].append(timed(lambda side=side: gradient(sides[side], x), times))  # type: ignore[misc]
    cpu, wall = (
        statistics.median(lap[kind] for lap in laps[1]) / statistics.median(lap[kind] for lap in laps[0])
        for kind in (0, 1)
    )
    return f"{name:24}{cpu:12.2f}{wall:12.2f}{apart:14.0e}"


def apart_in_double(make: Callable[[], nn.Module], proto: onnx.ModelProto, original: nn.Module, x: Tensor) -> float:
    """The largest difference of the two gradients in float64, in units of the largest entry."""
    twin = make().eval().requires_grad_(False)
    twin.load_state_dict(original.state_dict())
    expected = gradient(twin.double(), x.double())
    found = gradient(to_torch(proto, dtype=torch.float64), x.double())
    return float((found - expected).abs().max() / expected.abs().max())


def memory() -> float:
    """Megabytes of 50-step integrated gradients above the loaded model, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--memory"], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure_memory() -> None:
    import agnostic

    model, picture = agnostic.load("efficientnet-lite0"), agnostic.models.picture("cat_and_coffee")
    agnostic.explain(model, picture, method="saliency")
    status = Path("/proc/self/status").read_text()
    loaded = int(status.split("VmRSS:")[1].split()[0])
    Path("/proc/self/clear_refs").write_text("5")
    agnostic.explain(model, picture, method="integrated_gradients", steps=50, quadrature="gauss-legendre")
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    print((peak - loaded) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", action="store_true", help="only measure memory, in this process")
    options = parser.parse_args()
    if options.memory:
        measure_memory()
        return
    print(f"torch {torch.__version__.split('+')[0]}, {torch.get_num_threads()} threads, batch {BATCH}")
    print(f"{'forward + backward':24}{'x torch, CPU':>12}{'x torch, wall':>14}{'gradient apart':>16}")
    for name in NETS:
        print(race(name, options.rounds), flush=True)
    if sys.platform == "linux":
        print(
            f"50-step integrated gradients on EfficientNet-lite0: {memory():.0f} MB above the loaded model (goal 1000)"
        )


if __name__ == "__main__":
    main()

"""Trains digits-vit.onnx: a vision transformer that names the two handwritten digits on a small picture.

Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, arXiv:2010.11929, in small: 49 patches of 8 x 8 and a
class token, four blocks of four heads. It learns from the pictures of `two_digits`, where the place of every digit is
known: what its attention says can be judged.

Run: python -m agnostic.models.build_digits_vit   (needs torch and scikit-learn; about ten minutes on one core)
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from torch import nn

from agnostic.converters import converting
from agnostic.converters.conversion import Converted
from agnostic.models.graph import Floats, GraphWriter, describe, to_bytes
from agnostic.models.two_digits import SIZE, Digits, Scene, read_digits, scene

PATCH, WIDTH, HEADS, DEPTH = 8, 48, 4, 4
SIDE = SIZE // PATCH
MEAN, STD = 0.13, 0.3
PREPROCESS = {
    "layout": "NCHW",
    "size": [SIZE, SIZE],
    "channels": "L",
    "scale": 1 / 255,
    "mean": [MEAN],
    "std": [STD],
    "resize": "squash",
}
LABELS = [str(digit) for digit in range(10)]
DOC = (
    "A vision transformer (Dosovitskiy et al., arXiv:2010.11929) of four blocks, trained on pictures of two "
    "handwritten digits each; both have probability one half. Digits: Optical Recognition of Handwritten Digits, "
    "E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, CC BY 4.0, as scikit-learn ships them."
)

SCENES = 12_000
EPOCHS = 50
BATCH = 128
TESTED = 500

Weights = Mapping[str, Floats]


class Block(nn.Module):
    """Attention and a perceptron of one hidden layer, each behind a normalisation and beside a straight path."""

    def __init__(self) -> None:
        """Draw the weights."""
        super().__init__()
        self.n1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.o = nn.Linear(WIDTH, WIDTH)
        self.n2 = nn.LayerNorm(WIDTH)
        self.f1 = nn.Linear(WIDTH, 2 * WIDTH)
        self.f2 = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens to tokens: (n, t, width) float32."""
        heads = self.qkv(self.n1(x)).unflatten(2, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*heads)
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        told: torch.Tensor = x + self.f2(nn.functional.gelu(self.f1(self.n2(x))))
        return told


class VisionTransformer(nn.Module):
    """The network that is trained; `write` says the same in ONNX."""

    def __init__(self) -> None:
        """Draw the weights."""
        super().__init__()
        self.p = nn.Conv2d(1, WIDTH, PATCH, PATCH)
        self.c = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.02)
        self.e = nn.Parameter(torch.randn(1, SIDE * SIDE + 1, WIDTH) * 0.02)
        self.b = nn.ModuleList(Block() for _ in range(DEPTH))
        self.n = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, len(LABELS))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map pictures (n, 56, 56) uint8 to logits (n, 10)."""
        image = (pixels.float()[:, None] / 255 - MEAN) / STD
        tokens = self.p(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.c.expand(len(tokens), -1, -1), tokens], 1) + self.e
        for block in self.b:
            tokens = block(tokens)
        logits: torch.Tensor = self.head(self.n(tokens[:, 0]))
        return logits


class Pictures(NamedTuple):
    """Pictures (n, 56, 56) uint8 and the two digits on each (n, 2)."""

    pixels: torch.Tensor
    labels: torch.Tensor


def train(digits: Digits, *, scenes: int = SCENES, epochs: int = EPOCHS) -> VisionTransformer:
    """Train from seed 0 on one core: the same weights each time, with the same build of torch."""
    rng = np.random.default_rng(0)
    drawn = stacked([scene(digits, rng) for _ in range(scenes)])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, shuffled = VisionTransformer(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.05)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=epochs * (scenes // BATCH), pct_start=0.15)
    for _ in range(epochs):
        for pixels, labels in _batches(drawn, shuffled):
            loss = -network(pixels).log_softmax(1).gather(1, labels).mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            rate.step()
    return network.eval()


def stacked(scenes: list[Scene]) -> Pictures:
    """Lay scenes on top of each other."""
    pixels = torch.from_numpy(np.stack([each.pixels for each in scenes]))
    return Pictures(pixels, torch.tensor([each.labels for each in scenes]))


def accuracy(network: VisionTransformer, digits: Digits, count: int = TESTED) -> dict[str, float]:
    """Return how often a digit of new pictures is among the two likeliest, and how often both are."""
    fresh = stacked([scene(digits, np.random.default_rng(seed)) for seed in range(count)])
    with torch.no_grad():
        best = network(fresh.pixels).topk(2).indices
    hits = (best[:, :, None] == fresh.labels[:, None]).any(1).double()
    return {"each": round(float(hits.mean()), 4), "both": round(float(hits.prod(1).mean()), 4)}


def _batches(drawn: Pictures, shuffled: torch.Generator) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Go through the pictures once in random order, in batches with their quarters swapped at random."""
    half = SIZE // 2
    order = torch.randperm(len(drawn.pixels), generator=shuffled)
    for start in range(0, len(order) - BATCH + 1, BATCH):
        rows = order[start : start + BATCH]
        # Every digit lies within a quarter: moved by a half, and round the edge, a picture stays one of its kind.
        down, right = torch.randint(2, (2,), generator=shuffled).tolist()
        yield torch.roll(drawn.pixels[rows], (half * down, half * right), (1, 2)), drawn.labels[rows]


def write(weights: Weights) -> onnx.ModelProto:
    """Write the network as ONNX from its PyTorch state dictionary."""
    graph = GraphWriter()
    graph.linear("Conv", "image", "patches", weights["p.weight"], weights["p.bias"], "patches", strides=[PATCH, PATCH])
    flat = graph.op("Reshape", ["patches", graph.integers("flat", [0, WIDTH, -1])], "patches/flat")
    x = _with_class_token(graph, graph.op("Transpose", [flat], "patches/tokens", perm=[0, 2, 1]), weights)
    for number in range(DEPTH):
        x = _attention(graph, x, f"block{number + 1}", weights, f"b.{number}")
        x = _perceptron(graph, x, f"block{number + 1}", weights, f"b.{number}")
    x = _norm(graph, x, "norm", weights, "n")
    read = graph.op("Gather", [x, graph.integers("first", 0)], "class_token/out", axis=1)
    graph.linear("Gemm", read, "logits", weights["head.weight"], weights["head.bias"], "logits", transB=1)
    model = graph.model("digits-vit", {"image": ["batch", 1, SIZE, SIZE]}, {"logits": ["batch", len(LABELS)]})
    return describe(model, DOC, PREPROCESS, LABELS)


def _with_class_token(graph: GraphWriter, patches: str, weights: Weights) -> str:
    rows = graph.op("Shape", [patches], "rows", start=0, end=1)
    shape = graph.op("Concat", [rows, graph.integers("one", [1, WIDTH])], "class_token/shape", axis=0)
    token = graph.op("Expand", [graph.weight("class_token/weight", weights["c"]), shape], "class_token")
    joined = graph.op("Concat", [token, patches], "tokens/pre", axis=1)
    return graph.op("Add", [joined, graph.weight("places/weight", weights["e"])], "tokens")


def _attention(graph: GraphWriter, x: str, name: str, weights: Weights, source: str) -> str:
    normed = _norm(graph, x, f"{name}/norm1", weights, f"{source}.n1")
    kernels, biases = (np.split(weights[f"{source}.qkv.{end}"], 3) for end in ("weight", "bias"))
    heads = {}
    for part, weight, bias in zip(("query", "key", "value"), kernels, biases, strict=True):
        # The query carries the division by the root of its width.
        share = (WIDTH / HEADS) ** -0.5 if part == "query" else 1.0
        flat = _dense(graph, normed, f"{name}/{part}", weight * np.float32(share), bias * np.float32(share))
        split = graph.op("Reshape", [flat, graph.integers(f"{name}/{part}/heads", [0, 0, HEADS, -1])], f"{flat}/split")
        perm = [0, 2, 3, 1] if part == "key" else [0, 2, 1, 3]
        heads[part] = graph.op("Transpose", [split], f"{flat}/by_head", perm=perm)
    scores = graph.op("MatMul", [heads["query"], heads["key"]], f"{name}/attention/pre")
    held = graph.op("Softmax", [scores], f"{name}/attention", axis=-1)
    mixed = graph.op("MatMul", [held, heads["value"]], f"{name}/mixed")
    joined = graph.op("Transpose", [mixed], f"{name}/mixed/by_token", perm=[0, 2, 1, 3])
    flat = graph.op("Reshape", [joined, graph.integers(f"{name}/join", [0, 0, WIDTH])], f"{name}/mixed/flat")
    told = _dense(graph, flat, f"{name}/told", weights[f"{source}.o.weight"], weights[f"{source}.o.bias"])
    return graph.op("Add", [x, told], f"{name}/attended")


def _perceptron(graph: GraphWriter, x: str, name: str, weights: Weights, source: str) -> str:
    normed = _norm(graph, x, f"{name}/norm2", weights, f"{source}.n2")
    before = _dense(graph, normed, f"{name}/hidden/pre", weights[f"{source}.f1.weight"], weights[f"{source}.f1.bias"])
    scaled = graph.op("Mul", [before, _number(graph, f"{name}/root_half", 0.5**0.5)], f"{before}/scaled")
    turned = graph.op("Erf", [scaled], f"{before}/erf")
    gate = graph.op("Add", [turned, _number(graph, f"{name}/one", 1.0)], f"{before}/gate")
    half = graph.op("Mul", [gate, _number(graph, f"{name}/half", 0.5)], f"{before}/half")
    hidden = graph.op("Mul", [before, half], f"{name}/hidden")
    added = _dense(graph, hidden, f"{name}/added", weights[f"{source}.f2.weight"], weights[f"{source}.f2.bias"])
    return graph.op("Add", [x, added], name)


def _number(graph: GraphWriter, name: str, value: float) -> str:
    return graph.weight(name, np.array(value, np.float32))


def _dense(graph: GraphWriter, x: str, name: str, weight: Floats, bias: Floats) -> str:
    product = graph.op("MatMul", [x, graph.weight(f"{name}/weight", weight.T)], f"{name}/product")
    return graph.op("Add", [product, graph.weight(f"{name}/bias", bias)], name)


def _norm(graph: GraphWriter, x: str, name: str, weights: Weights, source: str) -> str:
    inputs = [x, *(graph.weight(f"{name}/{end}", weights[f"{source}.{end}"]) for end in ("weight", "bias"))]
    return graph.op("LayerNormalization", inputs, name, axis=-1, epsilon=1e-5)


def weights_of(network: nn.Module) -> Weights:
    """Return the state dictionary as arrays."""
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def check(model: onnx.ModelProto, network: VisionTransformer, digits: Digits) -> float:
    """Compare what `write` wrote with the network on random and on new pictures; returns the largest difference.

    Raises:
        ConversionError: they differ.
    """
    pixels = stacked([scene(digits, np.random.default_rng(seed)) for seed in range(16)]).pixels.numpy()
    images = ((pixels[:, None] / 255 - MEAN) / STD).astype(np.float32)

    def answer(feeds: Mapping[str, Floats]) -> dict[str, Floats]:
        # The network takes pixels, the graph what the declared preprocessing makes of them.
        shown = torch.from_numpy((feeds["image"][:, 0] * STD + MEAN) * 255)
        with torch.no_grad():
            return {"logits": network(shown).numpy()}

    return converting.check(Converted(model, answer, likeness={"image": images})).largest


def main() -> None:
    """Train the network, write the file beside this module and print how good it is."""
    learnt, held_out = read_digits()
    network = train(learnt)
    model = write(weights_of(network))
    check(model, network, held_out)
    Path(__file__).with_name("digits-vit.onnx").write_bytes(to_bytes(model))
    print(json.dumps(accuracy(network, held_out)))


if __name__ == "__main__":
    main()

"""Attention methods against derivations of their own, by autograd on the toy transformer that was exported."""

import io
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from torch import Tensor, nn

import agnostic
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.errors import ItemError, UsageError

Floats = npt.NDArray[np.float64]
PIXELS = {"scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3, "size": [32, 32]}
METHODS = ("rollout", "generic_attention", "tam", "bidirectional_transformer")
STEPS = 20


class Block(nn.Module):
    """A pre-norm block whose attention, values and input are kept; attention within windows where `window` is set."""

    def __init__(self, dim: int, heads: int, window: int = 0) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.kept: tuple[Tensor, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, self.window, x.shape[-1]) if self.window else x
        x = x + self.attend(rows).reshape(x.shape)
        return x + self.mlp(self.norms[1](x))

    def attend(self, x: Tensor) -> Tensor:
        n, tokens, dim = x.shape
        parts = self.qkv(self.norms[0](x)).reshape(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        shares = (query @ key.transpose(-2, -1) / math.sqrt(dim // self.heads)).softmax(-1)
        if not torch.onnx.is_in_onnx_export() and shares.requires_grad:
            shares.retain_grad()
        self.kept = (shares, value, x)
        return self.proj((shares @ value).transpose(1, 2).reshape(n, tokens, dim))


class Toy(nn.Module):
    """A vision transformer on 32 x 32 pictures in 4 x 4 patches, read off a class token or the mean."""

    def __init__(self, *, token: bool = True, dim: int = 16, heads: int = 2, depth: int = 2, window: int = 0) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, dim, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, dim)) if token else None
        self.places = nn.Parameter(torch.randn(1, 17 if token else 16, dim) * 0.3)
        self.blocks = nn.ModuleList([Block(dim, heads, window) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + self.places
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0] if self.token is not None else x.mean(dim=1))


class Words(nn.Module):
    """Token numbers to two scores, through the same blocks; the first token is read."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.share = nn.Embedding(20, 16), 1.0
        self.blocks = nn.ModuleList([Block(16, 2), Block(16, 2)])
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.words(x) * self.share
        for block in self.blocks:
            x = block(x)
        return self.head(x[:, 0])


class Kept(NamedTuple):
    """One block's attention (heads, T, T), its gradient, its values (heads, T, d) and its input (T, C)."""

    shares: Floats
    gradient: Floats
    values: Floats
    tokens: Floats


def export(net: nn.Module, x: Tensor) -> onnx.ModelProto:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"x": {0: "n"}, "scores": {0: "n"}}
        torch.onnx.export(
            net.eval(), (x,), file, dynamo=False, input_names=["x"], output_names=["scores"], dynamic_axes=axes
        )
    return onnx.load_from_string(file.getvalue())


def differentiated(net: nn.Module, forward: Callable[[], Tensor], target: int) -> list[Kept]:
    """Run and differentiate in float64; read every block's attention and gradient off the torch module."""
    net.zero_grad()
    forward()[0, target].backward()
    kept = []
    for block in net.blocks:  # type: ignore[union-attr]
        shares, values, tokens = block.kept
        kept.append(Kept(*(part.detach().numpy()[0] for part in (shares, shares.grad, values, tokens))))
    return kept


def derived(net: Any, at: Callable[[float], Tensor], target: int) -> dict[str, Floats]:
    """Every method's matrix (T, T), written down from its paper: `at(share)` runs the net at a share of the input."""
    layers = differentiated(net, lambda: at(1.0), target)
    one = np.eye(layers[0].shares.shape[-1])
    path = [differentiated(net, lambda: at((step + 0.5) / STEPS), target)[-1].gradient for step in range(STEPS)]  # noqa: B023
    feedback = np.clip(np.mean(path, axis=0), 0, None).mean(axis=0)
    rolled, generic, heads, tokens = one, one, one, one
    for layer, block in zip(layers, net.blocks, strict=True):
        rolled = (0.5 * layer.shares.mean(axis=0) + 0.5 * one) @ rolled
        generic = generic + np.clip(layer.shares * layer.gradient, 0, None).mean(axis=0) @ generic
        sensitivity = [np.abs(a.T @ g).mean() for a, g in zip(layer.shares, layer.gradient, strict=True)]
        weighed = sum(s / sum(sensitivity) * a for s, a in zip(sensitivity, layer.shares, strict=True))
        heads = heads + weighed @ heads
        projected = np.concatenate(list(layer.values), axis=1) @ block.proj.weight.detach().numpy().T
        ratio = np.linalg.norm(projected, axis=1) / np.linalg.norm(layer.tokens, axis=1)
        tokens = tokens + layer.shares.mean(axis=0) @ np.diag(ratio) @ tokens
    state = layers[-1].shares.mean(axis=0)
    for layer in layers[-2::-1]:
        state = state + state @ layer.shares.mean(axis=0)
    return {
        "rollout": rolled,
        "generic_attention": generic - one,
        "tam": state * feedback,
        "bidirectional_transformer": heads * feedback,
        "token": tokens * feedback,
    }


def explained(model: Model, x: Any, name: str, target: Any, **settings: Any) -> Any:
    """Explain with every layer counted, `token` being the other way of bidirectional_transformer."""
    if name == "token":
        return explained(model, x, "bidirectional_transformer", target, ap_mode="token", **settings)
    start = {} if name == "generic_attention" else {"start_layer": 0}
    return agnostic.explain(model, x, method=name, target=target, **start, **settings)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices as small as these are slower in many threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=[True, False], ids=["class token", "mean"])
def pair(request: pytest.FixtureRequest) -> tuple[Toy, Model]:
    torch.manual_seed(0)
    net = Toy(token=request.param)
    model = load(export(net, torch.randn(2, 3, 32, 32)), preprocess=PIXELS)
    return net.double(), model


@pytest.mark.parametrize("name", [*METHODS, "token"])
def test_equals_its_derivation(pair: tuple[Toy, Model], name: str) -> None:
    net, model = pair
    x = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    matrix = derived(net, lambda share: net(x * share), 1)[name]
    expected = matrix[0] if net.token is not None else matrix.mean(axis=0)
    found = explained(model, {"x": x.numpy().astype(np.float32)}, name, 1)
    assert found.values.shape == (32, 32)
    np.testing.assert_allclose(found.detail, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", [*METHODS, "token"])
def test_integer_inputs_give_a_value_per_token(name: str) -> None:
    torch.manual_seed(1)
    net = Words()
    x = torch.randint(0, 20, (1, 7))
    model = load(export(net, x))
    net = net.double()

    def at(share: float) -> Tensor:
        net.share = share
        return net(x)

    expected = derived(net, at, 0)[name][0]
    found = explained(model, {"x": x.numpy()}, name, 0)
    assert found.values.shape == (7,)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_several_targets_are_answered_as_each_alone(pair: tuple[Toy, Model]) -> None:
    _, model = pair
    x = {"x": np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)}
    for name in METHODS:
        both = agnostic.explain(model, x, method=name, target=[1, 2])
        for target, one in zip((1, 2), both, strict=True):
            alone = agnostic.explain(model, x, method=name, target=target)
            np.testing.assert_allclose(one.detail, alone.detail, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("name", [*METHODS, "token"])
def test_the_batch_size_and_the_run_change_nothing(pair: tuple[Toy, Model], name: str) -> None:
    _, model = pair
    x = {"x": np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)}
    once, again, single = (explained(model, x, name, 1, batch_size=size) for size in (8, 8, 1))
    np.testing.assert_array_equal(once.detail, again.detail)
    np.testing.assert_allclose(once.detail, single.detail, rtol=1e-4, atol=1e-8)


def test_rollout_hands_on_everything(pair: tuple[Toy, Model]) -> None:
    _, model = pair
    found = agnostic.explain(model, {"x": np.zeros((1, 3, 32, 32), np.float32)}, method="rollout", target=0)
    assert found.detail.sum() == pytest.approx(1, abs=1e-6)
    assert found.meta["class_agnostic"] and found.meta["parity"] is None


def test_readout_can_be_chosen(pair: tuple[Toy, Model]) -> None:
    net, model = pair
    x = {"x": np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)}
    rows = {kind: agnostic.explain(model, x, method="rollout", target=0, readout=kind).detail for kind in
            ("auto", "class", "mean", "0", "3")}  # fmt: skip
    np.testing.assert_array_equal(rows["class"], rows["0"])
    np.testing.assert_array_equal(rows["auto"], rows["class" if net.token is not None else "mean"])
    assert not np.allclose(rows["0"], rows["3"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start_layer": 2}, "--start-layer 2: expected 0 to 1"),
        ({"readout": "17"}, "--readout 17: expected auto, class, mean, or a token"),
        ({"readout": "cls"}, "--readout cls"),
        ({"at": "scores"}, "drop --at scores"),
    ],
)
def test_bad_settings_are_refused(pair: tuple[Toy, Model], settings: dict[str, Any], message: str) -> None:
    _, model = pair
    x = {"x": np.zeros((1, 3, 32, 32), np.float32)}
    with pytest.raises(UsageError, match=message):
        agnostic.explain(model, x, method="generic_attention", target=0, **settings)


def test_windows_are_refused_by_name() -> None:
    torch.manual_seed(0)
    model = load(export(Toy(token=False, window=4), torch.randn(2, 3, 32, 32)), preprocess=PIXELS)
    for name in METHODS:
        with pytest.raises(UsageError, match="within windows of 4 of its 16 tokens"):
            agnostic.explain(model, {"x": np.zeros((1, 3, 32, 32), np.float32)}, method=name, target=0)


def test_a_model_without_attention_says_so(squeezenet: Model) -> None:
    reasons = {row.name: row.reason for row in squeezenet.methods() if row.name in METHODS}
    assert set(reasons) == set(METHODS)
    assert all("no attention was found" in reason for reason in reasons.values())


def test_a_score_that_no_attention_raises_is_an_error(pair: tuple[Toy, Model]) -> None:
    _, model = pair
    constant = model.target(0) - model.target(0)
    with pytest.raises(ItemError, match="no attention raises the score"):
        agnostic.explain(model, {"x": np.zeros((1, 3, 32, 32), np.float32)}, method="tam", target=constant)


def marked(count: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Coloured 4 x 4 patches, one with a white mark: pictures, the colour of the marked patch, its place."""
    colours, spots = (
        torch.randint(0, 3, (count, 16), generator=random),
        torch.randint(0, 16, (count,), generator=random),
    )
    pixels = nn.functional.one_hot(colours, 3).reshape(count, 4, 4, 3).permute(0, 3, 1, 2) * 0.6 + 0.1
    mark = torch.zeros(8, 8)
    mark[2:6, 2:6] = 1
    marks = torch.kron(nn.functional.one_hot(spots, 16).reshape(count, 1, 4, 4).float(), mark)
    pictures = torch.kron(pixels.contiguous(), torch.ones(8, 8)) * (1 - marks) + marks
    noise = torch.rand(pictures.shape, generator=random) * 0.2 - 0.1
    return (pictures + noise).clip(0, 1), colours[torch.arange(count), spots], spots


@pytest.fixture(scope="module")
def trained() -> Model:
    """A transformer that has learnt to tell the colour of the marked patch."""
    torch.manual_seed(1)
    random = torch.Generator().manual_seed(1)
    net = Toy(dim=24)
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3, weight_decay=0.1)
    for _ in range(120):
        pictures, classes, _ = marked(64, random)
        optimiser.zero_grad()
        nn.functional.cross_entropy(net((pictures - 0.5) / 0.25), classes, label_smoothing=0.1).backward()
        optimiser.step()
    return load(export(net, torch.randn(2, 3, 32, 32)), preprocess=PIXELS)


@pytest.mark.parametrize("name", [*METHODS, "token"])
def test_a_trained_transformer_shows_the_patch_it_read(trained: Model, name: str) -> None:
    pictures, classes, spots = marked(12, torch.Generator().manual_seed(5))
    hits = 0
    for picture, label, spot in zip(pictures, classes, spots, strict=True):
        pixels = (picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        scores = trained.run((picture[None].numpy() - 0.5) / 0.25)["scores"][0]
        assert scores.argmax() == label
        # What speaks for a class may lie in the scores of the others: the differences hold all of it.
        others = " - ".join(str(other) for other in range(3) if other != label)
        found = explained(trained, pixels, name, f"{int(label)} - {others}")
        hits += int(found.values.reshape(4, 8, 4, 8).mean(axis=(1, 3)).argmax() == spot)
    assert hits >= 11

"""Small networks with perturbed weights, exported and re-imported: the same values, the same gradients."""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from onnxruntime import quantization
from torch import Tensor, nn

from agnostic.converters.torch_import import to_torch


class Residual(nn.Module):
    """A convolutional net with batch norms, a shortcut, a strided block and a pool."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 1))
        self.down, self.head = nn.Conv2d(8, 12, 3, 2, 1, groups=4), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.down(torch.relu(x + self.block(x))).mean((2, 3)))


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


class Tokens(nn.Module):
    """A vision transformer: patches, a class token, positions, two encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 16, 4, 4), nn.Linear(16, 5)
        self.token, self.places = nn.Parameter(torch.ones(1, 1, 16)), nn.Parameter(torch.ones(1, 17, 16))
        self.layers = nn.Sequential(Layer(), Layer())

    def forward(self, x: Tensor) -> Tensor:
        t = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.layers(torch.cat([self.token.expand(t.shape[0], -1, -1), t], 1) + self.places)[:, 0])


class Words(nn.Module):
    """A text encoder: token ids and a padding mask to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.layer, self.head = nn.Embedding(20, 16), Layer(), nn.Linear(16, 3)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.layer(self.words(ids), mask)[:, 0])


class Recurrent(nn.Module):
    """A two-layer bidirectional LSTM and a GRU over a series."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 6, 2, batch_first=True, bidirectional=True)
        self.gru, self.head = nn.GRU(12, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.gru(self.lstm(x)[0])[0][:, -1])


def inputs_of(kind: type[nn.Module], batch: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(batch)
    if kind is Words:
        mask = torch.arange(8) < torch.randint(2, 9, (batch, 1), generator=generator)
        return {"ids": torch.randint(0, 20, (batch, 8), generator=generator), "mask": mask}
    shape = {Residual: (3, 32, 32), Tokens: (3, 16, 16), Recurrent: (7, 4)}[kind]
    return {"x": torch.rand(batch, *shape, generator=generator)}


def perturbed(kind: type[nn.Module]) -> nn.Module:
    """Build a net and move every parameter and statistic, as training does."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    module = kind()
    for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
        tensor.data += 0.1 * torch.rand(tensor.shape, generator=generator)
    return module.eval().requires_grad_(False)


def exported(module: nn.Module, inputs: dict[str, Tensor]) -> ModelProto:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            stream,
            input_names=list(inputs),
            output_names=["logits"],
            dynamic_axes={name: {0: "n"} for name in inputs},
            opset_version=17,
            dynamo=False,
        )
    return onnx.load_from_string(stream.getvalue())


def run(model: ModelProto, inputs: dict[str, Tensor]) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]


def gradient(function: Any, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x)[:, 0].sum(), x)[0]


@pytest.mark.parametrize("kind", [Residual, Tokens, Words, Recurrent])
def test_values_at_two_batch_sizes(kind: type[nn.Module]) -> None:
    model = exported(perturbed(kind), inputs_of(kind, 2))
    module = to_torch(model)
    for batch in (1, 3):
        given = inputs_of(kind, batch)
        np.testing.assert_allclose(module(*given.values()), run(model, given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [Residual, Tokens, Recurrent])
def test_gradients_in_float64(kind: type[nn.Module]) -> None:
    net, x = perturbed(kind), inputs_of(kind, 2)["x"]
    module = to_torch(exported(net, {"x": x}), dtype=torch.float64)
    torch.testing.assert_close(gradient(module, x.double()), gradient(net.double(), x.double()), rtol=1e-5, atol=1e-7)


def test_the_gradient_of_tokens_is_taken_at_their_embedding() -> None:
    net, given = perturbed(Words), inputs_of(Words, 2)
    module = to_torch(exported(net, given), dtype=torch.float64)
    name = next(step.outputs[0] for step in module.graph.steps if step.kind[1] == "Gather")
    leaf = {name: lambda value: value.detach().requires_grad_()}
    values = module.run(given, ["logits", name], replace=leaf)
    (found,) = torch.autograd.grad(values["logits"][:, 0].sum(), values[name])
    net = net.double()
    expected = gradient(lambda e: net.head(net.layer(e, given["mask"])[:, 0]), net.words(given["ids"]))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", [Residual, Tokens])
def test_the_runtime_s_optimised_graph(kind: type[nn.Module], tmp_path: Path) -> None:
    net, x = perturbed(kind), inputs_of(kind, 2)
    onnx.save(exported(net, x), tmp_path / "net.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 4, str(tmp_path / "fused.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(tmp_path / "net.onnx", options, providers=["CPUExecutionProvider"])
    fused = onnx.load(tmp_path / "fused.onnx")
    assert any(node.domain == "com.microsoft" for node in fused.graph.node)
    module = to_torch(fused)
    np.testing.assert_allclose(module(x["x"]), net(x["x"]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient(module, x["x"]), gradient(net, x["x"]), rtol=1e-3, atol=1e-5)


class Samples(quantization.CalibrationDataReader):
    """One batch to calibrate with."""

    def __init__(self, inputs: dict[str, Tensor]) -> None:
        self.batches: Iterator[dict[str, np.ndarray]] = iter([{name: v.numpy() for name, v in inputs.items()}])

    def get_next(self) -> Any:
        return next(self.batches, None)


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_quantised_nets_are_equal_and_have_a_straight_through_gradient(form: str, tmp_path: Path) -> None:
    net, x = perturbed(Residual), inputs_of(Residual, 2)
    onnx.save(exported(net, x), tmp_path / "net.onnx")
    target = tmp_path / "quantised.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_static(
            tmp_path / "net.onnx", target, Samples(x), quant_format=quantization.QuantFormat[form], per_channel=True
        )
    quantised = onnx.load(target)
    expected = run(quantised, x)
    exact, estimated = to_torch(quantised), to_torch(quantised, straight_through=True)
    np.testing.assert_allclose(exact(x["x"]), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(estimated(x["x"]), expected, rtol=1e-5, atol=1e-6)
    assert not exact(x["x"].clone().requires_grad_()).requires_grad
    assert exact.surrogates == ()
    assert estimated.surrogates
    found, true = gradient(estimated, x["x"]).flatten(), gradient(net, x["x"]).flatten()
    assert torch.nn.functional.cosine_similarity(found, true, 0) > 0.95

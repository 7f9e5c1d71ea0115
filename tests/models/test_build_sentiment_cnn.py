"""The convolutions over words: written as trained, trained alike from a seed, as good as the manifest says."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agnostic import models
from agnostic.models.build_sentiment_cnn import (
    LENGTH,
    TextCNN,
    numbers,
    train,
    vocabulary,
    weights_of,
    words_of,
    write,
)
from agnostic.models.graph import to_bytes
from agnostic.models.movie_sentences import Labelled, read_sentences


def scores(data: bytes, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["logits"], {"ids": ids})[0]
    return found


def test_the_file_computes_what_the_network_does() -> None:
    torch.manual_seed(3)
    network = TextCNN(50).eval()
    ids = torch.randint(0, 50, (3, LENGTH))
    with torch.no_grad():
        expected = network(ids).numpy()
    found = scores(to_bytes(write(weights_of(network), [f"w{i}" for i in range(50)])), ids.numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected) > 0.01


def test_training_is_repeated_by_its_seed_and_learns() -> None:
    learnt = Labelled(("a warm film", "dull", "funny and warm", "dull and tedious") * 40, (1, 0, 1, 0) * 40)
    known, threads = vocabulary(learnt), torch.get_num_threads()
    try:
        first, again = (train(learnt, known, epochs=6) for _ in range(2))
    finally:
        torch.set_num_threads(threads)
    for name, weight in weights_of(first).items():
        np.testing.assert_array_equal(weight, weights_of(again)[name])
    with torch.no_grad():
        told = first(numbers(("warm", "dull"), known))
    assert told[0, 1] > told[0, 0] and told[1, 0] > told[1, 1]


def test_it_knows_sentences_it_has_not_seen_as_well_as_the_manifest_says() -> None:
    stated, held_out = models.manifest()["models"]["sentiment-cnn"]["held_out"], read_sentences()[1]
    metadata = {prop.key: json.loads(prop.value) for prop in onnx.load(models.path("sentiment-cnn")).metadata_props}
    ids = numbers(held_out.texts, metadata["agnostic.text"]["vocabulary"]).numpy()
    found = scores(models.path("sentiment-cnn").read_bytes(), ids).argmax(axis=1)
    assert (found == np.array(held_out.labels)).mean() == pytest.approx(stated["accuracy"], abs=2e-3)
    assert stated["sentences"] == len(held_out.texts)


def test_what_the_engine_feeds_is_what_it_was_trained_on() -> None:
    """The vocabulary and pattern in the metadata give the numbers that training used."""
    import agnostic
    from agnostic.inputs.reading import read_sample

    model = agnostic.load("sentiment-cnn")
    known = model.declared["text"]["vocabulary"]
    for text in read_sentences()[1].texts[:100]:
        if len(words_of(text)) <= LENGTH:
            assert np.array_equal(read_sample(model, text).arrays["ids"], numbers((text,), known).numpy())


def test_the_vocabulary_is_the_commonest_words_behind_padding_and_unknown() -> None:
    assert vocabulary(Labelled(("b a! a", "c b a"), (0, 1))) == ["<pad>", "<unknown>", "a", "b", "!", "c"]
    onnx.checker.check_model(onnx.load(models.path("sentiment-cnn")), full_check=True)

"""The bag of words: the file computes what scikit-learn does, loads anywhere, and is as good as the manifest says."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from agnostic import models
from agnostic.models.build_sentiment import Fitted, accuracy, fit, vectoriser, write
from agnostic.models.graph import to_bytes
from agnostic.models.movie_sentences import Labelled, read_sentences


@pytest.fixture(scope="module")
def sentences() -> tuple[Labelled, Labelled]:
    return read_sentences()


@pytest.fixture(scope="module")
def fitted(sentences: tuple[Labelled, Labelled]) -> Fitted:
    return fit(sentences[0])


def scores(data: bytes, texts: tuple[str, ...]) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["logits"], {"text": np.array(texts, object)[:, None]})[0]
    return found


def test_the_script_makes_the_file(fitted: Fitted) -> None:
    made, shipped = write(fitted), onnx.load(models.path("sentiment"))
    assert [node.op_type for node in made.graph.node] == [node.op_type for node in shipped.graph.node]
    assert [entry.value for entry in made.metadata_props] == [entry.value for entry in shipped.metadata_props]
    texts = ("a warm, funny film", "dull and tedious", "It's not WORTH it.", "")
    np.testing.assert_allclose(
        scores(to_bytes(made), texts), scores(models.path("sentiment").read_bytes(), texts), atol=1e-4
    )


def test_the_file_computes_what_scikit_learn_does(sentences: tuple[Labelled, Labelled]) -> None:
    from sklearn.linear_model import LogisticRegression

    learnt, held_out = sentences
    counter = vectoriser()
    model = LogisticRegression(C=4.0, max_iter=1000).fit(counter.fit_transform(learnt.texts), learnt.labels)
    expected = model.decision_function(counter.transform(held_out.texts))
    found = scores(models.path("sentiment").read_bytes(), held_out.texts)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], expected, atol=1e-4)


def test_it_is_as_good_as_the_manifest_says(sentences: tuple[Labelled, Labelled]) -> None:
    entry = models.manifest()["models"]["sentiment"]
    data = models.path("sentiment").read_bytes()
    assert len(sentences[1].texts) == entry["held_out"]["sentences"]
    assert accuracy(scores(data, sentences[1].texts), sentences[1]) == pytest.approx(
        entry["held_out"]["accuracy"], abs=2e-3
    )
    assert len(data) < 300_000


def test_case_is_lowered_in_the_locale_that_every_machine_has() -> None:
    proto = onnx.load(models.path("sentiment"))
    onnx.checker.check_model(proto)
    (node,) = [node for node in proto.graph.node if node.op_type == "StringNormalizer"]
    assert {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}["locale"] == b"C"
    low, high = scores(models.path("sentiment").read_bytes(), ("a warm film", "A WARM FILM"))
    np.testing.assert_array_equal(low, high)


def test_a_text_of_no_known_word_gets_the_intercept(fitted: Fitted) -> None:
    found = scores(models.path("sentiment").read_bytes(), ("", "zzzz", "!!!", "\N{CAT FACE}"))
    np.testing.assert_allclose(found, np.tile([[-fitted.intercept / 2, fitted.intercept / 2]], (4, 1)), atol=1e-4)


def test_it_ships_words_and_no_sentence(sentences: tuple[Labelled, Labelled]) -> None:
    for name in ("sentiment", "sentiment-cnn"):
        data = models.path(name).read_bytes()
        assert not any(text.encode() in data for part in sentences for text in part.texts if len(text.split()) > 5)
    stated = {prop.key: json.loads(prop.value) for prop in onnx.load(models.path("sentiment")).metadata_props}
    assert stated == {"agnostic.labels": ["negative", "positive"], "agnostic.text": {"kind": "strings"}}

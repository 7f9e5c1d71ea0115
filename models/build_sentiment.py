"""Fits sentiment.onnx: words weighed by TF-IDF and a logistic regression, from the text itself to its verdict.

It learns from `movie_sentences`. The file reads strings: it lowers their case, finds the words and weighs them, so
that nothing stands between a sentence and the model. Case is lowered in the locale "C", which every machine has; with
the operator's default, a file does not load where en_US.UTF-8 is missing.

Run: python -m agnostic.models.build_sentiment   (needs scikit-learn and the sdist; seconds)
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto

from agnostic.models.graph import Floats, GraphWriter, declare, to_bytes
from agnostic.models.movie_sentences import Labelled, read_sentences

WORD = "[A-Za-z0-9']+"
WORDS = 6000
STRENGTH = 4.0
LABELS = ["negative", "positive"]
DOC = (
    "Words weighed by TF-IDF and a logistic regression, fitted to sentences of movie reviews (B. Pang and L. Lee, ACL "
    "2005) with the ratings of readers that C.J. Hutto and E. Gilbert collected (ICWSM 2014), as the PyPI package "
    "vaderSentiment 0.5 ships them, MIT licence."
)


class Fitted(NamedTuple):
    """What was learnt: a word's weight in a text, and what it then counts for.

    Attributes:
        words: (n), lower case.
        rarity: (n) float32, the inverse document frequency of each.
        slopes: (n) float32, for the log-odds of positive.
        intercept: of the log-odds.
    """

    words: tuple[str, ...]
    rarity: Floats
    slopes: Floats
    intercept: float


def fit(learnt: Labelled) -> Fitted:
    """Fit the weights of the commonest words."""
    from sklearn.linear_model import LogisticRegression

    counter = vectoriser()
    model = LogisticRegression(C=STRENGTH, max_iter=1000)
    model.fit(counter.fit_transform(learnt.texts), learnt.labels)
    words = tuple(counter.get_feature_names_out().tolist())
    slopes, rarity = model.coef_[0].astype(np.float32), counter.idf_.astype(np.float32)
    return Fitted(words, rarity, slopes, float(model.intercept_[0]))


def vectoriser() -> Any:
    """Make scikit-learn's own counter of words, which `write` repeats in the graph."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=WORD, max_features=WORDS)


def write(fitted: Fitted) -> onnx.ModelProto:
    """Write the way from strings, (n, 1), to the scores of negative and positive, (n, 2), as one graph."""
    graph = GraphWriter()
    flat = graph.op("Reshape", ["text", graph.integers("flat", [-1])], "texts")
    lower = graph.op("StringNormalizer", [flat], "lower", case_change_action="LOWER", is_case_sensitive=1, locale="C")
    words = graph.op(
        "Tokenizer", [lower], "words", domain="com.microsoft", mark=0, mincharnum=1, pad_value="#", tokenexp=WORD
    )
    count = len(fitted.words)
    counts = graph.op(
        "TfIdfVectorizer", [words], "weighed", mode="TFIDF", min_gram_length=1, max_gram_length=1, max_skip_count=0,
        ngram_counts=[0], ngram_indexes=list(range(count)), pool_strings=list(fitted.words),
        weights=fitted.rarity.tolist(),
    )  # fmt: skip
    shares = graph.op("LpNormalization", [counts], "shares", axis=-1, p=2)
    # Half for, half against: their difference is the log-odds, and a softmax over them the probability.
    slopes = np.stack([-fitted.slopes, fitted.slopes], axis=1) * np.float32(0.5)
    bias = np.array([-fitted.intercept / 2, fitted.intercept / 2], np.float32)
    graph.linear("Gemm", shares, "logits", slopes, bias, "logits")
    model = graph.model(
        "sentiment", {"text": ["n", 1]}, {"logits": ["n", 2]}, type_of_inputs=TensorProto.STRING,
        domains=["com.microsoft"],
    )  # fmt: skip
    return declare(model, DOC, labels=LABELS, text={"kind": "strings"})


def main() -> None:
    """Fit, write the file beside this module and print how good it is."""
    import onnxruntime

    learnt, held_out = read_sentences()
    data = to_bytes(write(fit(learnt)))
    Path(__file__).with_name("sentiment.onnx").write_bytes(data)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"text": np.array(held_out.texts, object)[:, None]})
    print(json.dumps({"sentences": len(held_out.texts), "accuracy": round(accuracy(scores, held_out), 4)}))


def accuracy(scores: Floats, sentences: Labelled) -> float:
    """Return the share of sentences whose higher score is that of their label."""
    return float((scores.argmax(axis=1) == np.array(sentences.labels)).mean())


if __name__ == "__main__":
    main()

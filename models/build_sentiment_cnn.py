"""Trains sentiment-cnn.onnx: convolutions over words, from word numbers to a verdict.

Y. Kim, "Convolutional neural networks for sentence classification", EMNLP 2014, in small: an embedding, filters over
one, two and three words, the largest answer of each, a linear layer. It learns from `movie_sentences`. The vocabulary
and how a text becomes numbers are in the file's metadata.

Run: python -m agnostic.models.build_sentiment_cnn   (needs torch and the sdist; a minute or two on one core)
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto
from torch import nn

from agnostic.models.build_sentiment import LABELS
from agnostic.models.graph import Floats, GraphWriter, declare, to_bytes
from agnostic.models.movie_sentences import Labelled, read_sentences

PATTERN = r"[a-z0-9']+|[!?]"
LENGTH, WIDTH, FILTERS, SPANS = 64, 48, 64, (1, 2, 3)
WORDS = 6000
PAD, UNKNOWN = "<pad>", "<unknown>"
EPOCHS, BATCH = 8, 64
DOC = (
    "Convolutions over words (Y. Kim, arXiv:1408.5882), trained on sentences of movie reviews (B. Pang and L. Lee, ACL "
    "2005) with the ratings of readers that C.J. Hutto and E. Gilbert collected (ICWSM 2014), as the PyPI package "
    "vaderSentiment 0.5 ships them, MIT licence."
)

Weights = Mapping[str, Floats]


class TextCNN(nn.Module):
    """The network that is trained; `write` says the same in ONNX."""

    def __init__(self, words: int) -> None:
        """Draw the weights."""
        super().__init__()
        self.e = nn.Embedding(words, WIDTH, padding_idx=0)
        # At the usual size of 1, words that were met twice would stay noise.
        self.e.weight.data.mul_(0.1)
        self.c = nn.ModuleList(nn.Conv1d(WIDTH, FILTERS, span, padding=span // 2) for span in SPANS)
        self.head = nn.Linear(FILTERS * len(SPANS), len(LABELS))
        self.drop = nn.Dropout(0.5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Map word numbers (n, 64) int64 to scores (n, 2)."""
        x = self.drop(self.e(ids)).transpose(1, 2)
        found = [torch.relu(filters(x)).amax(2) for filters in self.c]
        scores: torch.Tensor = self.head(self.drop(torch.cat(found, 1)))
        return scores


def words_of(text: str) -> list[str]:
    """Cut a text into the words that the vocabulary is made of."""
    return re.findall(PATTERN, text.lower())


def vocabulary(learnt: Labelled) -> list[str]:
    """List the commonest words, behind the two that stand for nothing and for all others."""
    counts = Counter(word for text in learnt.texts for word in words_of(text))
    common = sorted(counts, key=lambda word: (-counts[word], word))
    return [PAD, UNKNOWN, *common[: WORDS - 2]]


def numbers(texts: Sequence[str], known: Sequence[str]) -> torch.Tensor:
    """Turn texts into rows of word numbers, (n, 64) int64, cut or padded at the end."""
    places = {word: place for place, word in enumerate(known)}
    rows = np.zeros((len(texts), LENGTH), np.int64)
    for row, text in zip(rows, texts, strict=True):
        found = [places.get(word, 1) for word in words_of(text)][:LENGTH]
        row[: len(found)] = found
    return torch.from_numpy(rows)


def train(learnt: Labelled, known: Sequence[str], *, epochs: int = EPOCHS) -> TextCNN:
    """Train from seed 0 on one core: the same weights each time, with the same build of torch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, shuffled = TextCNN(len(known)), torch.Generator().manual_seed(0)
    ids, labels = numbers(learnt.texts, known), torch.tensor(learnt.labels)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.05)
    steps = epochs * -(-len(ids) // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(ids), generator=shuffled)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            loss: Any = nn.functional.cross_entropy(network(ids[rows]), labels[rows], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
    return network.eval()


def write(weights: Weights, known: Sequence[str]) -> onnx.ModelProto:
    """Write the network as ONNX from its PyTorch state dictionary, with the vocabulary in the metadata."""
    graph = GraphWriter()
    embedded = graph.op("Gather", [graph.weight("embedding/weight", weights["e.weight"]), "ids"], "embedding")
    across = graph.op("Transpose", [embedded], "embedding/by_channel", perm=[0, 2, 1])
    found = []
    for number, span in enumerate(SPANS):
        layer = f"span{span}"
        kernel, bias = (weights[f"c.{number}.{end}"] for end in ("weight", "bias"))
        graph.linear("Conv", across, layer, kernel, bias, f"{layer}/pre", pads=[span // 2] * 2, kernel_shape=[span])
        graph.op("Relu", [f"{layer}/pre"], layer)
        found.append(graph.op("ReduceMax", [layer], f"{layer}/largest", axes=[2], keepdims=0))
    joined = graph.op("Concat", found, "features", axis=1)
    graph.linear("Gemm", joined, "logits", weights["head.weight"], weights["head.bias"], "logits", transB=1)
    model = graph.model("sentiment-cnn", {"ids": ["n", LENGTH]}, {"logits": ["n", 2]}, type_of_inputs=TensorProto.INT64)
    how = {
        "kind": "tokens", "vocabulary": list(known), "pattern": PATTERN, "lowercase": True, "pad": PAD,
        "unknown": UNKNOWN,
    }  # fmt: skip
    return declare(model, DOC, labels=LABELS, text=how)


def weights_of(network: nn.Module) -> Weights:
    """Return the state dictionary as arrays."""
    return {name: value.detach().numpy() for name, value in network.state_dict().items()}


def accuracy(network: TextCNN, sentences: Labelled, known: Sequence[str]) -> float:
    """Return the share of sentences whose higher score is that of their label."""
    with torch.no_grad():
        hits = network(numbers(sentences.texts, known)).argmax(1) == torch.tensor(sentences.labels)
    return float(hits.double().mean())


def main() -> None:
    """Train the network, write the file beside this module and print how good it is."""
    learnt, held_out = read_sentences()
    known = vocabulary(learnt)
    network = train(learnt, known)
    Path(__file__).with_name("sentiment-cnn.onnx").write_bytes(to_bytes(write(weights_of(network), known)))
    print(json.dumps({"sentences": len(held_out.texts), "accuracy": round(accuracy(network, held_out, known), 4)}))


if __name__ == "__main__":
    main()

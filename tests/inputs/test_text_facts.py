"""What a model says of the texts it eats, and what makes no sense of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.text_facts import eats_text, text_facts

Open = Callable[..., Model]
Build = Callable[..., onnx.ModelProto]
WordLevel = Callable[..., str]
TABLE = {"table": np.ones((9, 2), np.float32), "one": np.array([1])}
TOKENS = "{ e = Gather(table, ids)  y = ReduceSum<keepdims=0>(e, one) }"
VOCABULARY = ["<pad>", "<unk>", "a", "warm", "film"]


def told(**section: Any) -> dict[str, str]:
    return {"agnostic.text": json.dumps(section)}


def by_tokens(opened: Open, shape: str = "n,t", **section: Any) -> Model:
    metadata = told(**section) if section else None
    return opened(f"g (int64[{shape}] ids) => (float[n,2] y) {TOKENS}", TABLE, metadata=metadata)


def test_strings_alone_are_text_and_columns_beside_others_are_not(opened: Open) -> None:
    for shape, eats in (("n", True), ("n,1", True)):
        model = opened(f"g (string[{shape}] words) => (string[{shape}] y) {{ y = Identity(words) }}")
        assert eats_text(model) is eats
        assert (text_facts(model).kind, text_facts(model).input) == ("strings", "words")
    columns = opened("g (string[n,1] a, string[n,1] b) => (string[n,1] y) { y = Identity(a) z = Identity(b) }")
    assert not eats_text(columns)
    with pytest.raises(InputError, match="takes no text: its input is a string"):
        text_facts(columns)


def test_a_vocabulary_in_the_metadata(opened: Open) -> None:
    model = by_tokens(opened, "n,6", vocabulary=VOCABULARY, pad="<pad>", unknown="<unk>")
    facts = text_facts(model)
    assert eats_text(model) and facts is text_facts(model)
    assert (facts.kind, facts.input, facts.length, facts.fixed, facts.embedding) == ("tokens", "ids", 6, True, "e")
    assert facts.tokeniser is not None
    assert (facts.tokeniser.pad, facts.tokeniser.unknown, facts.tokeniser.mask) == (0, 1, None)


@pytest.mark.parametrize("suffix", ["txt", "json"])
def test_a_vocabulary_in_a_file_beside_the_model(graph: Build, tmp_path: Path, suffix: str) -> None:
    proto = graph(f"g (int64[n,t] ids) => (float[n,2] y) {TOKENS}", TABLE)
    onnx.save(proto, tmp_path / "m.onnx")
    content = "\n".join(VOCABULARY) if suffix == "txt" else json.dumps({word: i for i, word in enumerate(VOCABULARY)})
    (tmp_path / f"v.{suffix}").write_text(content)
    (tmp_path / "m.agnostic.toml").write_text(f'[text]\nvocabulary = "v.{suffix}"\nunknown = 1\npad = "<pad>"\n')
    facts = text_facts(agnostic.load(tmp_path / "m.onnx"))
    assert facts.tokeniser is not None
    assert facts.tokeniser.tokens(["a dull film"], None).ids == (2, 1, 4)


@pytest.mark.parametrize("folder", ["", "onnx"])
def test_a_hugging_face_folder_is_found_by_its_tokenizer(
    graph: Build, word_level: WordLevel, tmp_path: Path, folder: str
) -> None:
    names = "int64[n,t] input_ids, int64[n,t] attention_mask, int64[n,t] token_type_ids"
    body = """{ e = Gather(table, input_ids)  m = Cast<to=1>(attention_mask)  k = Cast<to=1>(token_type_ids)
        s = ReduceSum<keepdims=0>(e, one)  a = ReduceSum<keepdims=1>(m, one)  b = ReduceSum<keepdims=1>(k, one)
        c = Add(a, b)  y = Add(s, c) }"""
    (tmp_path / folder).mkdir(exist_ok=True)
    onnx.save(graph(f"g ({names}) => (float[n,2] y) {body}", TABLE), tmp_path / folder / "model.onnx")
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "bad", "1": "good"}}))
    (tmp_path / "tokenizer.json").write_text(word_level())
    model = agnostic.load(tmp_path)
    facts = text_facts(model)
    assert model.labels == ("bad", "good")
    assert (facts.input, facts.attention_mask, facts.token_type_ids) == (
        "input_ids",
        "attention_mask",
        "token_type_ids",
    )
    assert facts.tokeniser is not None and facts.tokeniser.mask == 4


@pytest.mark.parametrize("as_string", [True, False])
def test_a_tokenizer_in_the_metadata_with_other_tokens_for_off(
    opened: Open, word_level: WordLevel, as_string: bool
) -> None:
    content = word_level() if as_string else json.loads(word_level())
    facts = text_facts(by_tokens(opened, tokenizer=content, mask="dull", unknown=5, length=8, truncate=True))
    assert facts.tokeniser is not None
    assert (facts.tokeniser.mask, facts.tokeniser.unknown, facts.tokeniser.pad) == (8, 5, 0)
    assert (facts.length, facts.fixed, facts.truncate) == (8, False, True)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"vocabulary": VOCABULARY, "lenght": 3}, r"unknown key of \[text\] 'lenght'; did you mean 'length'"),
        ({"vocabulary": VOCABULARY, "length": "3"}, r"\[text\] length = '3': expected int"),
        ({"vocabulary": VOCABULARY, "length": True}, r"\[text\] length = 'True': expected int"),
        ({"vocabulary": VOCABULARY, "length": 0}, "expected at least 1"),
        ({"vocabulary": VOCABULARY, "lowercase": 1}, "lowercase = '1': expected bool"),
        ({"vocabulary": VOCABULARY, "truncate": True}, "truncate = true needs length"),
        ({"vocabulary": VOCABULARY, "pad": "<nix>"}, "pad = '<nix>': the vocabulary has no such token"),
        ({"vocabulary": VOCABULARY, "pad": -1}, "the vocabulary has no such token"),
        ({"vocabulary": {"a": "x"}}, "vocabulary: expected a list of tokens"),
        ({"vocabulary": [1, 2]}, "vocabulary: expected a list of tokens"),
        ({"vocabulary": VOCABULARY, "pattern": "(a+)+"}, "expected a plain one"),
        ({"vocabulary": VOCABULARY, "input": "idz"}, r"unknown input in \[text\] 'idz'; did you mean 'ids'"),
        ({"vocabulary": VOCABULARY, "attention_mask": "m"}, r"unknown attention_mask in \[text\]"),
        ({"vocabulary": VOCABULARY, "kind": "strings"}, "expected the other kind"),
        ({"vocabulary": VOCABULARY, "kind": "letters"}, "expected strings or tokens"),
        ({"tokenizer": "{broken"}, "the tokenizer in the metadata: no tokenizer"),
        ({"vocabulary": "v.txt"}, "this model comes from no file: open it by its path"),
        ({"pad": 0}, "brings no tokenizer: put its tokenizer.json beside"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_one_line(opened: Open, section: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        text_facts(by_tokens(opened, **section))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "link.txt"])
def test_nothing_outside_of_the_model_s_folder_is_read(graph: Build, tmp_path: Path, name: str) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.txt").write_text("a\nb")
    (tmp_path / "inside" / "link.txt").symlink_to(tmp_path / "secret.txt")
    proto = graph(f"g (int64[n,t] ids) => (float[n,2] y) {TOKENS}", TABLE, metadata=told(vocabulary=name))
    onnx.save(proto, tmp_path / "inside" / "m.onnx")
    with pytest.raises(UsageError, match="lies outside of the model's folder"):
        text_facts(agnostic.load(tmp_path / "inside" / "m.onnx"))


def test_a_missing_file_is_named(graph: Build, tmp_path: Path) -> None:
    proto = graph(f"g (int64[n,t] ids) => (float[n,2] y) {TOKENS}", TABLE, metadata=told(tokenizer="tok.json"))
    onnx.save(proto, tmp_path / "m.onnx")
    with pytest.raises(UsageError, match=r"^tok\.json: cannot be read: No such file"):
        text_facts(agnostic.load(tmp_path / "m.onnx"))

"""Texts as samples: what the model gets, what a person sees, and everything a text may be."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.reading import read_sample
from agnostic.inputs.sample import Sample, Text
from agnostic.inputs.text_features import StringFeatures, TokenFeatures

Open = Callable[..., Model]
WordLevel = Callable[..., str]
TABLE = {"table": np.ones((9, 2), np.float32), "one": np.array([1])}
VOCABULARY = ["<pad>", "<unk>", "a", "warm", "film", "dull"]
HOSTILE = {
    "HTML": "<script>alert('x')</script> a dull film",
    "right to left": "סרט חם \u202e warm film \u202c",
    "emoji": "warm 😍😍 👩\u200d👩\u200d👧 film 👍🏽",
    "control characters": "warm\x1b[31m film\x07\x08 dull\r\n",
    "marks without letters": "\u0301\u0301 warm",
    "one megabyte": "warm dull film. " * (2**16),
    "only punctuation": "... !!! ,,,",
    "one letter": "a",
    "no spaces": "x" * 5000,
    "astral": "\U00020000\U00020001 warm",
}


@pytest.fixture(scope="module")
def strings(opened: Open) -> Model:
    """Count the words warm, film and dull in a text of strings."""
    return opened(
        """g (string[n,1] text) => (float[n,3] y) {
            flat = Reshape(text, all)
            words, lengths = StringSplit<delimiter=" ">(flat)
            y = TfIdfVectorizer<mode="TF", min_gram_length=1, max_gram_length=1, max_skip_count=0, ngram_counts=[0],
                ngram_indexes=[0, 1, 2], pool_strings=["warm", "film", "dull"]>(words)
        }""",
        {"all": np.array([-1])},
        opset=20,
    )


def by_tokens(opened: Open, shape: str = "n,t", inputs: tuple[str, ...] = (), **section: Any) -> Model:
    """Sum vectors of tokens; further inputs count as they are."""
    more = "".join(f", int64[{shape}] {name}" for name in inputs)
    adding = "".join(f"f{i} = Cast<to=1>({name}) s{i} = ReduceSum(f{i}, one) " for i, name in enumerate(inputs))
    total = "e0" if not inputs else "total"
    adding += f"total = Sum(e0, {', '.join(f's{i}' for i in range(len(inputs)))})" if inputs else ""
    body = f"e = Gather(table, input_ids) e0 = ReduceSum<keepdims=0>(e, one) {adding} y = Identity({total})"
    text = f"g (int64[{shape}] input_ids{more}) => (float[n,2] y) {{ {body} }}"
    return opened(text, TABLE, metadata={"agnostic.text": json.dumps(section)})


def plain(opened: Open, shape: str = "n,t", **section: Any) -> Model:
    return by_tokens(opened, shape, vocabulary=VOCABULARY, pad="<pad>", unknown="<unk>", **section)


def pieces(sample: Sample) -> list[str]:
    return [sample.shown["text"][start:stop] for start, stop in sample.shown["pieces"]]


def test_a_text_for_a_model_that_reads(strings: Model) -> None:
    sample = read_sample(strings, "A warm, warm film")
    assert sample.arrays["text"].tolist() == [["A warm, warm film"]]
    assert isinstance(sample.features, StringFeatures)
    assert sample.features.names == ("A", "warm", ",", "warm", "film")
    assert sample.features.identities == ("a", "warm", ",", "warm", "film")
    assert (sample.features.shape, sample.features.is_grid, sample.features.is_plane) == ((5,), False, False)
    assert sample.shown == {
        "kind": "text", "text": "A warm, warm film", "pieces": [[0, 1], [2, 6], [6, 7], [8, 12], [13, 17]],
        "features": "words", "fill": "remove",
    }  # fmt: skip
    assert (sample.data, sample.differentiable, sample.picture) == (None, None, None)
    with pytest.raises(UsageError, match="is not given to the model as numbers"):
        _ = sample.numbers


def test_sentences_are_features_too(strings: Model) -> None:
    sample = read_sample(strings, "A warm film. Dull? No.", features="sentences")
    assert sample.features.names == ("A warm film.", "Dull?", "No.")
    assert sample.features.labels.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]


def test_a_text_for_a_model_that_eats_numbers(opened: Open) -> None:
    sample = read_sample(plain(opened, "n,6"), "A warm -- film!")
    assert sample.arrays["input_ids"].tolist() == [[2, 3, 1, 1, 4, 1]]
    assert isinstance(sample.features, TokenFeatures)
    assert sample.features.labels.tolist() == [0, 1, 2, 2, 3, 4]
    assert sample.features.names == ("A", "warm", "--", "film", "!")
    assert (sample.features.fill, sample.differentiable) == ("unknown", "e")


def test_a_short_text_is_padded_and_padding_is_never_off(opened: Open) -> None:
    sample = read_sample(plain(opened, "n,6"), "warm film")
    assert sample.arrays["input_ids"].tolist() == [[3, 4, 0, 0, 0, 0]]
    assert sample.features.labels.tolist() == [0, 1, 2, 2, 2, 2]
    assert sample.features.count == 2


def test_a_long_text_is_refused_or_cut_with_a_note(opened: Open) -> None:
    text = "warm film dull warm"
    with pytest.raises(InputError, match="the text has 4 tokens, the model takes 3: shorten it, or declare truncate"):
        read_sample(plain(opened, "n,3"), text)
    with pytest.raises(InputError, match="the text has 4 tokens, the model takes 2"):
        read_sample(plain(opened, length=2), text)
    sample = read_sample(plain(opened, "n,3", truncate=True), text)
    assert sample.arrays["input_ids"].tolist() == [[3, 4, 5]]
    assert pieces(sample) == ["warm", "film", "dull"]
    assert sample.notes == ("the text has 4 tokens, the model takes 3: what comes behind is not seen",)


def test_a_tokenizer_s_own_tokens_belong_to_no_feature(opened: Open, word_level: WordLevel) -> None:
    inputs = ("attention_mask", "token_type_ids", "position_ids")
    model = by_tokens(opened, "n,8", inputs, tokenizer=word_level())
    sample = read_sample(model, "A warm film")
    assert sample.arrays["input_ids"].tolist() == [[2, 5, 6, 7, 3, 0, 0, 0]]
    assert sample.arrays["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 0, 0, 0]]
    assert sample.arrays["token_type_ids"].tolist() == [[0] * 8]
    assert sample.arrays["position_ids"].tolist() == [list(range(8))]
    assert sample.features.labels.tolist() == [3, 0, 1, 2, 3, 3, 3, 3]
    assert (sample.notes, sample.features.fill) == ((), "mask")  # type: ignore[attr-defined]


def test_padding_goes_where_the_tokenizer_puts_it(opened: Open, word_level: WordLevel) -> None:
    model = by_tokens(opened, "n,6", ("attention_mask",), tokenizer=word_level("left"))
    sample = read_sample(model, "warm film", fill="remove")
    assert sample.arrays["input_ids"].tolist() == [[0, 0, 2, 6, 7, 3]]
    rows = {name: np.empty((1, 6), np.int64) for name in sample.features.inputs}
    sample.features.blend(np.array([[False, True]]), rows)
    assert rows["input_ids"].tolist() == [[0, 0, 0, 2, 7, 3]]
    assert rows["attention_mask"].tolist() == [[0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("given", [("warm film", "dull"), Text("warm film\tdull")])
def test_a_pair_of_texts(opened: Open, word_level: WordLevel, given: Any) -> None:
    model = by_tokens(opened, "n,t", ("token_type_ids",), tokenizer=word_level(), pair=True)
    sample = read_sample(model, given)
    assert sample.arrays["input_ids"].tolist() == [[2, 6, 7, 3, 8, 3]]
    assert sample.arrays["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1]]
    assert sample.shown["text"] == "warm film\ndull"
    assert pieces(sample) == ["warm", "film", "dull"]
    assert sample.features.labels.tolist() == [3, 0, 1, 3, 2, 3]


def test_a_tab_is_a_space_where_no_pair_is_declared(opened: Open, word_level: WordLevel) -> None:
    sample = read_sample(by_tokens(opened, tokenizer=word_level()), "warm\tdull")
    assert sample.arrays["input_ids"].tolist() == [[2, 6, 8, 3]]


def test_tokens_are_features_and_a_word_has_all_of_its_own(opened: Open) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = ["[UNK]", "un", "##watch", "##able", "a", "mess"]
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    model = by_tokens(opened, tokenizer=made.to_str())
    sample = read_sample(model, "a unwatchable mess", features="tokens")
    assert sample.features.names == ("a", "un", "watch", "able", "mess")
    assert sample.features.labels.tolist() == [0, 1, 2, 3, 4]
    words = read_sample(model, "a unwatchable mess")
    assert words.features.names == ("a", "unwatchable", "mess")
    assert words.features.labels.tolist() == [0, 1, 1, 1, 2]


def test_bytes_of_one_sign_are_one_feature(opened: Open) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model = opened(
        "g (int64[n,t] ids) => (float[n,2] y) { e = Gather(table, ids) y = ReduceSum<keepdims=0>(e, one) }",
        {"table": np.ones((256, 2), np.float32), "one": np.array([1])},
        metadata={"agnostic.text": json.dumps({"tokenizer": made.to_str(), "pad": 0})},
    )
    sample = read_sample(model, "a 😍!", features="tokens", fill="pad")
    assert sample.features.names == ("a", "😍", "!")
    assert sample.features.labels.tolist() == [0, 3, 1, 1, 1, 1, 2]
    assert read_sample(model, "a 😍!", fill="remove").features.names == ("a", "😍!")


@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_a_text_may_be_nothing_of_it_is_lost(strings: Model, opened: Open, kind: str) -> None:
    text = HOSTILE[kind]
    for model in (strings, plain(opened)):
        sample = read_sample(model, Text(text))
        assert sample.shown["text"] == text
        spans = sample.shown["pieces"]
        assert all(0 <= start < stop <= len(text) for start, stop in spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
        assert len(sample.name) <= 60 and "\n" not in sample.name
        rows = {
            name: np.empty((2, *sample.arrays[name].shape[1:]), dtype) for name, dtype in sample.features.inputs.items()
        }
        sample.features.blend(np.array([[True] * sample.features.count, [False] * sample.features.count]), rows)
        for name, row in rows.items():
            assert np.array_equal(row[0], sample.arrays[name][0]), "with everything on it is the text itself"
            assert not np.array_equal(row[0], row[1]) or kind in (
                "only punctuation",
                "no spaces",
                "marks without letters",
            )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Text(""), "the text is empty"),
        (Text(" \n\t "), "the text is empty"),
        (Text("\u200b\u202e"), "holds no word"),
        (Text("a\0b"), "characters that are none"),
        (Text("a \ud83d"), "characters that are none"),
        (Text("a" * (2**20 + 1)), "1048577 characters; expected at most 1048576"),
        ("none.txt", "none.txt: cannot be read as texts, one a line: No such file"),
        (Path("cat.png"), "cat.png: this model takes text"),
        (("a", "b"), "this model reads one text"),
        (np.array(["a", "b"], object), "an array of 2 texts; an explanation is of one"),
    ],
)
def test_what_is_no_text_is_one_line(strings: Model, given: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_sample(strings, given)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"features": "wrods"}, "unknown features 'wrods'; did you mean 'words'"),
        ({"features": "grid:3"}, "unknown features 'grid:3'; a text has words, tokens, sentences"),
        ({"features": np.zeros(3, np.int32)}, "the features of a text are words, tokens, sentences"),
        ({"features": "tokens"}, "this model reads the text itself; take words or sentences"),
        ({"fill": "blur"}, "unknown fill 'blur'; a word that is off is remove, mask, unknown, pad"),
        ({"fill": "mask"}, "declares none for that; take remove, or declare mask = WORD"),
        ({"background": "x.csv"}, "--background goes with a table"),
        ({"row": 3}, "--row 3 goes with a file of rows or of texts"),
        ({"source": "other"}, "a text is explained at the input it goes to, 'text'"),
    ],
)
def test_a_reading_that_texts_do_not_have_is_one_line(strings: Model, how: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_sample(strings, Text("a warm film"), **how)


def test_declared_words_stand_in(opened: Open) -> None:
    body = "g (string[n] text) => (string[n] y) { y = Identity(text) }"
    model = opened(body, metadata={"agnostic.text": json.dumps({"mask": "[MASK]"})})
    sample = read_sample(model, "warm film", fill="mask")
    rows = {"text": np.empty(1, object)}
    sample.features.blend(np.array([[False, True]]), rows)
    assert rows["text"].tolist() == ["[MASK] film"]


def test_a_file_holds_one_text_a_line(strings: Model, tmp_path: Path) -> None:
    path = tmp_path / "reviews.txt"
    path.write_text("\ufeffa warm film\n\n  dull  \n", encoding="utf-8")
    assert read_sample(strings, path, row=1).shown["text"] == "dull"
    assert read_sample(strings, str(path), row=0).shown["text"] == "a warm film"
    with pytest.raises(InputError, match="holds 2 texts; choose one with --row N"):
        read_sample(strings, path)
    with pytest.raises(InputError, match="--row 2: expected 0 to 1"):
        read_sample(strings, path, row=2)
    path.write_text("only one")
    assert read_sample(strings, path).shown["text"] == "only one"
    for content, says in ((b"\n \n", "holds no text"), (b"\xff\xfe\xfa", "not UTF-8 text")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=says):
            read_sample(strings, path)


def test_a_name_with_spaces_is_a_text_even_if_it_ends_like_a_file(strings: Model) -> None:
    assert read_sample(strings, "as dull as a readme.txt").shown["text"] == "as dull as a readme.txt"


def test_a_text_for_a_model_of_pictures_is_refused(squeezenet_model: Model) -> None:
    with pytest.raises(
        InputError, match=r"'squeezenet' takes no text: its input is image float32 \[batch, 3, 224, 224\]"
    ):
        read_sample(squeezenet_model, Text("a cat"))


def test_other_inputs_go_with_the_text(opened: Open, tmp_path: Path) -> None:
    model = by_tokens(opened, "n,3", ("weight",), vocabulary=VOCABULARY, pad=0, unknown=1)
    np.save(tmp_path / "w.npy", np.array([[4, 5, 6]]))
    for given, expected in (
        ("2", [2, 2, 2]),
        (3, [3, 3, 3]),
        ([[1, 2, 3]], [1, 2, 3]),
        (tmp_path / "w.npy", [4, 5, 6]),
    ):
        sample = read_sample(model, {"": Text("warm film"), "weight": given})
        assert sample.arrays["weight"].tolist() == [expected]
        assert sample.arrays["input_ids"].tolist() == [[3, 4, 0]]
    assert any("weight" in note and "zeros assumed" in note for note in read_sample(model, "warm film").notes)
    with pytest.raises(InputError, match=r"input weight int64 .*: got 'much'; expected a number"):
        read_sample(model, {"": Text("warm film"), "weight": "much"})
    with pytest.raises(UsageError, match="a text goes to the input 'input_ids'"):
        read_sample(model, {"weight": Text("warm film")})


def test_arrays_go_to_a_model_of_tokens_as_before(opened: Open) -> None:
    sample = read_sample(plain(opened, "n,3"), np.array([[2, 3, 4]]))
    assert (sample.shown, sample.features.count) == ({"kind": "sequence"}, 3)


def test_a_sidecar_adds_to_what_the_metadata_declare(tmp_path: Path, opened: Open) -> None:
    onnx.save(plain(opened, "n,3").proto, tmp_path / "m.onnx")
    (tmp_path / "m.agnostic.toml").write_text("[text]\ntruncate = true\n")
    assert read_sample(agnostic.load(tmp_path / "m.onnx"), "warm film dull a").arrays["input_ids"].tolist() == [
        [3, 4, 5]
    ]

"""Bad texts and models of texts: one clear line, the right exit status, nothing half-written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from agnostic import models

Run = Callable[..., tuple[int, str, str]]
CAT = str(models.picture("chelsea"))
TABLE = [
    ("empty text", ["sentiment", "--text", ""], 4, "the text is empty"),
    ("only space", ["sentiment", "--text", " \t\n"], 4, "the text is empty"),
    ("no word", ["sentiment", "--text", "\u200b"], 4, "holds no word"),
    ("broken characters", ["sentiment", "--text", "a \udcff"], 4, "characters that are none"),
    ("a megabyte and one", ["sentiment", "--text", "a" * (2**20 + 1)], 4, "expected at most 1048576"),
    ("longer than the model takes", ["sentiment-cnn", "--text", "film " * 65], 4, "has 65 tokens, the model takes 64"),
    ("nothing the tokenizer knows", ["sentiment-cnn", "--text", "\u732b \u732b"], 4, "the tokenizer finds no word"),
    ("words that count for nothing", ["sentiment", "--text", "xyzzy plugh"], 4, "there is nothing to explain"),
    ("missing tokenizer", ["ids.onnx", "--text", "a film"], 2, "brings no tokenizer: put its tokenizer.json beside"),
    ("broken tokenizer.json", ["broken/model.onnx", "--text", "a film"], 2, "tokenizer.json: no tokenizer"),
    ("empty tokenizer.json", ["empty/model.onnx", "--text", "a film"], 2, "tokenizer.json: no tokenizer"),
    ("vocabulary outside", ["outside.onnx", "--text", "a film"], 2, "lies outside of the model's folder"),
    ("unknown key", ["unknown.onnx", "--text", "a film"], 2, "unknown key of [text] 'tokeniser'"),
    ("endless pattern", ["endless.onnx", "--text", "a film"], 2, "expected a plain one"),
    ("text for a picture model", ["squeezenet", "--text", "a cat"], 4, "'squeezenet' takes no text"),
    ("picture for a text model", ["sentiment", CAT], 4, "this model takes text"),
    ("picture for a token model", ["sentiment-cnn", CAT], 4, "this model takes text"),
    ("missing file", ["sentiment", "none.txt"], 4, "none.txt: cannot be read as texts"),
    ("file that is no UTF-8", ["sentiment", "latin.txt"], 4, "as texts, one a line: not UTF-8"),
    ("file without a text", ["sentiment", "blank.txt"], 4, "blank.txt: holds no text"),
    ("row out of range", ["sentiment", "two.txt", "--row", "2"], 4, "--row 2: expected 0 to 1"),
    ("row of a text", ["sentiment", "--text", "a film", "--row", "0"], 2, "goes with a file"),
    ("background of a text", ["sentiment", "--text", "a film", "--background", "b.csv"], 2, "goes with a table"),
    ("unknown features", ["sentiment", "--text", "a film", "--features", "wrods"], 2, "did you mean 'words'"),
    ("features of a picture", ["sentiment", "--text", "a film", "--features", "grid:4"], 2, "words, tokens, sentences"),
    ("tokens of one that reads", ["sentiment", "--text", "a film", "--features", "tokens"], 2, "words or sentences"),
    ("unknown fill", ["sentiment", "--text", "a film", "--fill", "hide"], 2, "remove, mask, unknown, pad"),
    ("fill that is not there", ["sentiment-cnn", "--text", "a film", "--fill", "mask"], 2, "no token for mask"),
    ("fill that strings lack", ["sentiment", "--text", "a film", "--fill", "unknown"], 2, "declare unknown = WORD"),
    ("gradient of a text", ["sentiment", "--text", "a film", "-m", "saliency"], 3, "text has no gradient"),
    ("attention that is not there", ["sentiment-cnn", "--text", "a film", "-m", "rollout"], 2, "no attention was"),
    ("method of pictures", ["sentiment-cnn", "--text", "a film", "-m", "blur_ig"], 2, "blur_ig"),
    ("too many words to fit", ["sentiment", "--text", "a b " * 2500], 2, "lime fits at most 4096 features"),
    ("unknown class", ["sentiment", "--text", "a film", "-t", "positiv"], 2, "did you mean 'positive'"),
    ("unknown input", ["sentiment", "txt=a film"], 2, "unknown input 'txt'; did you mean 'text'"),
    ("no input", ["sentiment"], 2, "no input was given; expected a file, --text TEXT"),
]  # fmt: skip


def model_of_ids(**section: object) -> bytes:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["e"]),
        helper.make_node("ReduceSum", ["e", "one"], ["y"], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "ids",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.eye(9, 2, dtype=np.float32), "table"),
            numpy_helper.from_array(np.array([1]), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if section:
        helper.set_model_props(model, {"agnostic.text": json.dumps(section)})
    return bytes(model.SerializeToString())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "secret.txt").write_text("a\nfilm")
    inside = tmp_path / "inside"
    for folder in (inside, inside / "broken", inside / "empty"):
        folder.mkdir()
    (inside / "ids.onnx").write_bytes(model_of_ids())
    (inside / "outside.onnx").write_bytes(model_of_ids(vocabulary="../secret.txt"))
    (inside / "unknown.onnx").write_bytes(model_of_ids(tokeniser="x"))
    (inside / "endless.onnx").write_bytes(model_of_ids(vocabulary=["a"], pattern="(a+)+b"))
    for folder, content in (("broken", '{"version": "1.0"'), ("empty", "")):
        (inside / folder / "model.onnx").write_bytes(model_of_ids())
        (inside / folder / "tokenizer.json").write_text(content)
    (inside / "latin.txt").write_bytes("café".encode("latin-1"))
    (inside / "blank.txt").write_text("\n \n")
    (inside / "two.txt").write_text("one film\nanother\n")
    monkeypatch.chdir(inside)
    return inside


@pytest.mark.parametrize(("arguments", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_one_line_and_the_exit_status(place: Path, agnostic: Run, arguments: list[str], status: int, says: str) -> None:
    before = sorted(place.rglob("*"))
    found, out, err = agnostic("explain", "--quiet", *arguments)
    assert (found, out) == (status, ""), err
    assert err.startswith("agnostic: ") and err.count("\n") == 1 and len(err) < 500, err
    assert says in err
    assert "Traceback" not in err
    assert sorted(place.rglob("*")) == before


def test_one_of_several_texts_may_fail(place: Path, agnostic: Run) -> None:
    status, out, err = agnostic("explain", "sentiment", "--text", "a warm film", "--text", " ", "-m", "occlusion")
    assert status == 1
    assert "+warm" in out and "the text is empty" in err
    assert (place / "a-warm-film.occlusion.png").exists()


def test_a_hostile_line_of_a_file_neither_stops_the_others_nor_steers_the_terminal(place: Path, agnostic: Run) -> None:
    Path("mixed.txt").write_text("a warm film\n\x1b[31m\x07\nxyzzy plugh\n")
    status, out, err = agnostic("explain", "sentiment", "mixed.txt", "-m", "occlusion")
    assert status == 1
    assert "+warm" in out and "\x1b" not in out + err
    assert err.count("note: mixed-") >= 1


def test_the_models_are_what_they_are_meant_to_be() -> None:
    onnx.checker.check_model(onnx.load_model_from_string(model_of_ids()))

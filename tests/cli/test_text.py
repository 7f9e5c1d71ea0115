"""`agnostic explain` on texts: files, names, words on the terminal, and a terminal that nothing steers."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from agnostic import Explanation, explain
from agnostic.cli.explaining import slug
from agnostic.cli.words import print_words, printable

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sentence_just_works(place: Path, agnostic: Run) -> None:
    status, out, err = agnostic("explain", "sentiment", "--text", "a warm, funny film", "--method", "lime")
    assert (status, err) == (0, "")
    assert "a +warm, +funny +film" in out and "funny +0." in out
    assert {path.name for path in place.iterdir()} == {
        "a-warm-funny-film.lime.png", "a-warm-funny-film.lime.html", "a-warm-funny-film.lime.safetensors",
    }  # fmt: skip
    record = Explanation.load("a-warm-funny-film.lime.safetensors")
    assert record.target == "positive" and record.meta["feature_names"] == ["a", "warm", ",", "funny", "film"]


def test_several_texts_methods_and_targets(place: Path, agnostic: Run) -> None:
    status, out, _ = agnostic(
        "explain", "sentiment-cnn", "--text", "a warm film", "--text", "dull", "-m", "occlusion,smoothgrad", "-t",
        "positive", "-t", "negative", "--samples", "5", "-q",
    )  # fmt: skip
    assert status == 0
    assert "+warm" in out and "-warm" in out and "*warm" in out
    assert (place / "a-warm-film.all.png").exists() and (place / "dull.smoothgrad.html").exists()


def test_texts_of_one_beginning_keep_their_files_apart(place: Path, agnostic: Run) -> None:
    beginning = "a film that takes its time and then takes some more of it and "
    status, _, _ = agnostic(
        "explain", "sentiment", "--text", beginning + "ends", "--text", beginning + "does not", "-m", "occlusion", "-q"
    )
    records = sorted(path.name for path in place.glob("*.safetensors"))
    assert status == 0 and len(records) == 2
    assert {Explanation.load(name).meta["shown"]["text"] for name in records} == {
        beginning + "ends", beginning + "does not",
    }  # fmt: skip


def test_a_file_of_texts_is_one_sample_a_line(place: Path, agnostic: Run) -> None:
    Path("reviews.txt").write_text("a warm film\n\nno fun: dull\n")
    status, out, _ = agnostic("explain", "sentiment", "reviews.txt", "-m", "occlusion", "--json")
    assert status == 0
    assert [item["input"] for item in json.loads(out)["items"]] == ["a warm film", "no fun: dull"]
    assert {path.name for path in place.glob("*.png")} == {"reviews-1.occlusion.png", "reviews-2.occlusion.png"}
    status, out, _ = agnostic("explain", "sentiment", "reviews.txt", "--row", "1", "-m", "occlusion", "-q")
    assert status == 0 and "no fun: dull" in out and "warm" not in out
    assert (place / "reviews.row1.occlusion.png").exists()


def test_features_and_fill_are_those_of_a_text(agnostic: Run) -> None:
    status, out, _ = agnostic(
        "explain", "sentiment", "--text", "A warm film. A dull end.", "--features", "sentences", "-m", "kernelshap",
        "-t", "positive", "--json",
    )  # fmt: skip
    (found,) = json.loads(out)["items"][0]["explanations"]
    assert status == 0 and found["shown"]["features"] == "sentences" and len(found["shown"]["pieces"]) == 2


@pytest.mark.parametrize(
    "text", ["[bold]warm[/bold] [/] film", "warm \x1b[31m\x1b]0;title\x07 film", "warm \u202e film"]
)
def test_nothing_in_a_text_steers_the_terminal(agnostic: Run, text: str) -> None:
    status, out, _ = agnostic("explain", "sentiment", "--text", text, "-m", "occlusion", "-q")
    assert status == 0 and "warm" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)
    assert "[bold]" not in text or "[bold]" in out


def test_colours_where_there_are_colours_and_signs_everywhere() -> None:
    found = [explain("sentiment", "warm but dull", "occlusion", "positive")]
    printed = {}
    for colours in (True, False):
        console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", no_color=not colours)
        print_words(console, found)
        printed[colours] = console.file.getvalue()  # type: ignore[attr-defined]
    teal, coral = "48;2;90;167;158", "48;2;232;138;109"
    assert teal in printed[True] and coral in printed[True]
    assert "48;2" not in printed[False]
    assert all("+warm" in text and "-dull" in text for text in printed.values())


def test_printable_keeps_letters_and_shows_what_steers() -> None:
    assert printable("na\u00efve \u732b \N{CAT FACE}\n\tx") == "na\u00efve \u732b \N{CAT FACE}\n\tx"
    assert printable("\x1b[1m\x9b\u2066") == "\ufffd[1m\ufffd\ufffd"
    assert slug("\N{CAT FACE}!", "text") == "text"


def test_inspect_says_how_texts_go_in(agnostic: Run) -> None:
    assert "text: the text itself; a word that is off is removed" in " ".join(
        agnostic("inspect", "sentiment")[1].split()
    )
    out = " ".join(agnostic("inspect", "sentiment-cnn")[1].split())
    assert "ids: tokens, padded to 64; --fill unknown pad remove; gradients at embedding" in out
    assert json.loads(agnostic("inspect", "squeezenet", "--json")[1])["text"] is None


def test_methods_of_gradients_are_told_apart_from_those_that_run(agnostic: Run) -> None:
    rows = json.loads(agnostic("methods", "sentiment", "--json")[1])
    listed = {row["name"]: row for row in rows["methods"]}
    assert listed["lime"]["runs"] and not listed["saliency"]["runs"]
    assert "text has no gradient" in listed["saliency"]["reason"]

"""What the page of a training run is made of: files, escaped, of bounded size, the same each time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.report.training import Asked, Site, build
from agnostic.report.training.building import SHARED
from agnostic.report.training.samples import choose, histories
from agnostic.report.training.sheets import CELL, LETTERS, cell_of, sheet_of
from agnostic.training import tidy
from agnostic.training.data import Shown, Texts, TrainingSet, arrays
from agnostic.training.dynamics import measure
from agnostic.training.influence import Influence
from agnostic.training.recorder import Recorder
from agnostic.training.run import Run, open_run

HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def run(tmp_path: Path, rng: np.random.Generator) -> Run:
    with Recorder(tmp_path / "run", 40, 3) as recorder:
        for _ in range(5):
            recorder.epoch(np.arange(1, 40), rng.normal(size=(39, 3)), np.arange(1, 40) % 3)
    return open_run(tmp_path / "run")


def site(run: Run, data: TrainingSet | None = None, **more: Any) -> Site:
    dynamics = measure(run)
    return Site("digits", ("zero", HOSTILE, "two"), 40, data, run, dynamics, (tidy.tidy(dynamics),), **more)


def registered(path: Path) -> Any:
    text = path.read_text("utf-8")
    return json.loads(text[text.index(", ") + 2 : text.rindex(")")])


def test_the_page_is_whole_and_the_same_each_time(run: Run, tmp_path: Path, rng: np.random.Generator) -> None:
    data = arrays(rng.integers(0, 256, (40, 9, 9), dtype=np.uint8), np.arange(40) % 3)
    index = build(site(run, data), tmp_path / "page")
    files = {
        path.relative_to(tmp_path / "page"): path.read_bytes()
        for path in (tmp_path / "page").rglob("*")
        if path.is_file()
    }
    for name in (*SHARED, "training.css", "data/site.js", "data/points.js", "data/samples-0.js", "data/samples-0.jpg"):
        assert Path(name) in files
    for name in index.read_text().split('src="')[1:]:
        assert Path(name.split('"')[0]) in files
    build(site(run, data), tmp_path / "page")
    assert all((tmp_path / "page" / name).read_bytes() == content for name, content in files.items())
    with pytest.raises(UsageError, match="holds other files"):
        build(site(run, data), tmp_path)


def test_points_and_histories_are_those_of_the_run(run: Run, tmp_path: Path) -> None:
    made = site(run)
    build(made, tmp_path / "page")
    points = registered(tmp_path / "page/data/points.js")
    assert made.dynamics is not None
    assert points["label"] == made.dynamics.labels.tolist() and points["label"][0] == -1
    assert points["orders"]["tidy"] == made.rankings[0].order.tolist()
    block, past = run.block(0, 40), histories(run, np.array([7, 0]))
    np.testing.assert_array_equal(past[0]["predicted"], block.logits[:, 7].argmax(axis=1))
    np.testing.assert_allclose(past[0]["label"], block.probabilities()[:, 7, 1], atol=6e-4)
    assert past[1]["predicted"].tolist() == [-1] * 5


def test_nothing_from_the_data_is_markup(run: Run, tmp_path: Path) -> None:
    texts = Texts(np.arange(40) % 3, None, tuple(f"{HOSTILE}{k}" for k in range(40)), (HOSTILE,) * 40)
    build(site(run, texts, command=HOSTILE, notes=(HOSTILE,)), tmp_path / "page")
    for path in (tmp_path / "page" / "data").glob("*.js"):
        assert "<" not in path.read_text("utf-8")
    assert registered(tmp_path / "page/data/samples-0.js")["rows"][3]["text"] == HOSTILE


def test_only_so_many_samples_are_kept(run: Run, tmp_path: Path) -> None:
    made = site(run)
    kept = choose(made.dynamics, made.rankings, np.array([39]), 12, 40)
    assert 12 <= len(kept) <= 13 and 39 in kept and set(made.rankings[0].order[:9].tolist()) <= set(kept.tolist())
    build(made, tmp_path / "page", keep=12)
    rows = registered(tmp_path / "page/data/samples-0.js")["rows"]
    places = registered(tmp_path / "page/data/points.js")["kept"]
    assert len(rows) == 12 and all(places[row["id"]] == at for at, row in enumerate(rows))


def test_what_was_asked_is_told_on_both_sides(run: Run, tmp_path: Path) -> None:
    values = np.linspace(-1, 1, 40)[None].repeat(2, axis=0) * [[1], [-2]]
    answer = Influence(values, ("a.png", "b"), ("log p(two)", "h:1"), {"solver": "cg", "seconds": 1.0})
    shown = (Shown(picture=np.zeros((8, 8, 3), np.uint8)), Shown(text="words"))
    labels = arrays(np.zeros((40, 2)), np.arange(40) % 3)
    only = Site("model", ("a", "b", "c"), 40, labels, asked=(Asked(answer, shown, "influence"),))
    build(only, tmp_path / "page")
    facts = registered(tmp_path / "page/data/site.js")
    assert [item["target"] for item in facts["queries"]] == ["log p(two)", "h:1"] and facts["rankings"] == []
    second = registered(tmp_path / "page/data/asked-1.js")
    assert second["up"][0] == [0, 2] and second["down"][0] == [39, -2] and len(second["up"]) == 20
    assert second["shown"]["text"] == "words"


def test_samples_are_shown_as_what_they_are() -> None:
    tall = np.zeros((4, 2, 3), np.uint8)
    tall[:2] = 255
    cell = cell_of(tall)
    assert (
        cell.shape == (CELL, CELL, 3)
        and cell[10, CELL // 2].tolist() == [255] * 3
        and cell[-10, CELL // 2].tolist() == [0] * 3
    )
    made = sheet_of([Shown(text="x" * 2 * LETTERS), Shown(picture=tall), Shown(values=(("w", "3"),)), Shown()])
    assert [sorted(row) for row in made.samples] == [["text"], ["cell", "color"], ["values"], ["values"]]
    assert len(made.samples[0]["text"]) == LETTERS + 1 and made.jpeg[:2] == b"\xff\xd8"

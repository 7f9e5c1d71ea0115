"""`agnostic training …`: what it prints and writes, from a recorded run and from checkpoints, and how it fails."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from onnx import helper, numpy_helper, parser

from agnostic.training.recorder import Recorder

Run = Callable[..., tuple[int, str, str]]
X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
TRUTH = (X @ np.random.default_rng(1).normal(size=(4, 3))).argmax(axis=1)
WRONG = np.array([3, 30, 44])
LABELS = TRUTH.copy()
LABELS[WRONG] = (TRUTH[WRONG] + 1) % 3


def model(scale: float) -> bytes:
    """A hidden layer of four units and the true classes, the surer the larger the scale."""
    graph = parser.parse_graph("g (float[n,4] x) => (float[n,3] y) { a = MatMul(x, v) h = Tanh(a) y = Gemm(h, w, b) }")
    last = 3 * scale * np.random.default_rng(1).normal(size=(4, 3))
    for name, value in (("v", np.eye(4) / 3), ("w", last), ("b", np.zeros(3))):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    proto.metadata_props.add(key="agnostic.labels", value='["red", "green", "<b>blue</b>"]')
    return proto.SerializeToString()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recorded run, the checkpoints of it, the data, and the user standing in it."""
    (tmp_path / "models").mkdir()
    for number, scale in enumerate((0.3, 1.0, 2.0)):
        (tmp_path / "models" / f"epoch-{number}.onnx").write_bytes(model(scale))
    np.savez(tmp_path / "data.npz", x=X, y=LABELS)
    np.save(tmp_path / "row.npy", X[:1])
    (tmp_path / "wrong.txt").write_text("\n".join(map(str, WRONG)))
    hidden = np.tanh(X / 3) @ np.random.default_rng(1).normal(size=(4, 3))
    with Recorder(tmp_path / "run", 60, 3) as recorder:
        for scale in (0.3, 1.0, 2.0):
            recorder.epoch(np.arange(60), 3 * scale * hidden, LABELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["tidy", "aum", "forgetting", "confident"])
def test_a_ranking_is_written_printed_and_judged(here: Path, agnostic: Run, name: str) -> None:
    status, out, err = agnostic("training", name, "run", "--known", "wrong.txt", "--json", "--out", "here")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert (found["samples"], found["classes"], found["epochs"]) == (60, 3, 3)
    ranking = found["rankings"][0]
    assert ranking["found"]["average_precision"] > 0.8
    assert set(WRONG.tolist()) <= set(ranking["first"])
    table = rows(here / "here" / f"{name}.csv")
    assert [int(row["sample"]) for row in table[:10]] == ranking["first"] and len(table) == 60
    assert sum(int(row["flagged"]) for row in table) == ranking["flagged"]
    status, text, _ = agnostic("training", name, "run", "--top", "2", "--known", "wrong.txt")
    assert status == 0 and "AP" in text and f"wrote training/{name}.csv" in text


def test_recorder_and_checkpoints_rank_alike(here: Path, agnostic: Run) -> None:
    recorded = json.loads(agnostic("training", "aum", "run", "--json", "--top", "60")[1])
    status, out, _ = agnostic("training", "aum", "models", "--data", "data.npz", "--json", "--top", "60", "--out", "o")
    assert status == 0
    assert json.loads(out)["rankings"][0]["first"] == recorded["rankings"][0]["first"]
    assert agnostic("training", "tidy", "o/run", "--quiet")[0] == 0


def test_dynamics_writes_every_table_and_a_page(here: Path, agnostic: Run) -> None:
    status, out, _ = agnostic("training", "dynamics", "run", "--data", "data.npz", "--out", "o", "--format", "parquet")
    assert status == 0
    assert all(f"wrote o/{name}.parquet" in out for name in ("tidy", "aum", "forgetting", "confident", "combined"))
    assert (here / "o/page/index.html").is_file() and (here / "o/page/data/samples-0.js").is_file()
    table = parquet.read_table(here / "o/aum.parquet")
    assert table.num_rows == 60 and table["score"].to_pylist() == sorted(table["score"].to_pylist(), reverse=True)
    assert agnostic("training", "dynamics", "run", "--out", "o", "--quiet")[0] == 0  # the page again, without data


def test_influence_names_samples_on_both_sides(here: Path, agnostic: Run) -> None:
    line = ("training", "influence", "models/epoch-2.onnx", "row.npy", "--data", "data.npz", "--out", "o")
    status, out, err = agnostic(*line, "--sample", "3", "-t", "red", "-t", "h:1", "--solver", "cg", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    asked = [(item["input"], item["target"]) for item in found["items"]]
    assert asked == [("row.npy", "red"), ("row.npy", "h:1"), ("sample 3", "red"), ("sample 3", "h:1")]
    assert found["residual"] < 1e-4 and found["parameters"] == 31
    first = found["items"][0]["raises"][0]
    assert float(rows(here / "o/influence-0.csv")[0]["influence"]) == pytest.approx(first[1], rel=1e-6)
    page = (here / "o/page/data/site.js").read_text()
    assert "<b>" not in page and "\\u003cb\\u003eblue" in page
    status, text, _ = agnostic(*line, "--top", "2")
    assert status == 0 and "raises it" in text and "log p(" in text


def test_self_influence_and_tracin_find_the_wrong_labels(here: Path, agnostic: Run) -> None:
    for line in (
        ("influence", "models/epoch-2.onnx"),
        ("influence", "models/epoch-2.onnx", "--solver", "ekfac"),
        ("tracin", "models", "--rates", "0.1"),
    ):
        status, out, _ = agnostic("training", *line, "--data", "data.npz", "--self", "--known", "wrong.txt", "--json")
        assert status == 0
        found = json.loads(out)
        assert found["found"]["average_precision"] > 0.5
        assert found["files"][1].endswith("index.html")
        page = Path(found["files"][1]).parent / "data"
        points = (page / "points.js").read_text()
        order = json.loads(points[points.index(", ") + 2 : points.rindex(")")])["orders"][found["ranking"]]
        assert order[:10] == found["first"] and '"command":"agnostic training' in (page / "site.js").read_text()


def test_tracin_and_similarity_answer_for_a_sample(here: Path, agnostic: Run) -> None:
    line = ("training", "tracin", "models", "--data", "data.npz", "--sample", "5", "--json")
    by_steps, by_angle = (json.loads(agnostic(*line, *more)[1]) for more in ((), ("--similarity",)))
    assert by_steps["checkpoints"] == 3
    best = by_angle["items"][0]["raises"][0]
    assert best[1] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (("tidy", "nowhere"), 4, "no such run or checkpoint"),
        (("tidy", "models"), 2, "--data DATA"),
        (("tidy", "run", "--deviations", "-1"), 2, "deviations=-1"),
        (("tidy", "run", "--format", "xls"), 2, "expected csv or parquet"),
        (("tidy", "run", "--known", "none.txt"), 4, "none.txt: cannot be read"),
        (("tidy", "run", "--known", "data.npz"), 4, "expected the number of a sample"),
        (("aum", "run", "--threshold-ids", "wrong.txt", "--percentile", "101"), 2, "--percentile"),
        (("dynamics", "run", "--data", "short.npz"), 4, "10 samples; the run has 60"),
        (("dynamics", "run", "--data", "other.npz"), 4, "are they in the same order"),
        (("dynamics", "models", "run", "--data", "data.npz"), 4, "holds no .onnx"),
        (("influence", "models/epoch-2.onnx", "row.npy"), 2, "--data DATA"),
        (("influence", "models/epoch-2.onnx", "--data", "data.npz"), 2, "nothing was asked about"),
        (("influence", "models/epoch-2.onnx", "--data", "data.npz", "--sample", "60"), 4, "has the samples 0 to 59"),
        (("influence", "models/epoch-2.onnx", "row.npy", "--data", "data.npz", "-t", "h:9"), 2, "has the units 0 to 3"),
        (("influence", "models/epoch-2.onnx", "row.npy", "--data", "data.npz", "-t", "h:0"), 3, "do not reach 'h:0'"),
        (("influence", "models/epoch-2.onnx", "row.npy", "--data", "data.npz", "--rank", "3"), 2, "no setting 'rank'"),
        (("tracin", "models", "--data", "data.npz", "--sample", "1", "--rates", "1,2"), 2, "2 rates for 3"),
        (("tracin", "models", "--data", "data.npz", "--sample", "1", "--rates", "fast"), 2, "expected numbers"),
        (("aum", "models", "--data", "data.npz", "--timeout", "0.001"), 5, "time limit"),
    ],
)
def test_errors_are_one_line_with_their_status(
    here: Path, agnostic: Run, arguments: tuple[str, ...], expected: int, said: str
) -> None:
    np.savez(here / "short.npz", x=X[:10], y=LABELS[:10])
    np.savez(here / "other.npz", x=X, y=LABELS[::-1])
    status, out, err = agnostic("training", *arguments, "--quiet")
    assert (status, out) == (expected, "")
    assert said in err and len(err.splitlines()) == 1


def test_help_names_every_command_and_option(agnostic: Run) -> None:
    status, out, _ = agnostic("training", "--help")
    assert status == 0
    for name in ("dynamics", "forgetting", "tidy", "aum", "confident", "influence", "tracin"):
        assert name in out
        status, text, _ = agnostic("training", name, "--help")
        assert status == 0 and "--data" in text and "--json" in text

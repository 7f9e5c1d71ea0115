"""Every line of docs/interpretdl.md, run on a real model as it stands; only numbers of samples are smaller."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from agnostic import Explanation, Summary, models
from agnostic.cli import run

ROOT = Path(__file__).parents[1]
LINES = [line for line in (ROOT / "docs" / "interpretdl.md").read_text().splitlines() if line.startswith("| ")][1:]
ROWS = {cells[0]: cells for line in LINES if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5}
FEWER = {
    "smoothgrad": {"--samples": "2"},
    "integrated_gradients": {"--quadrature": "riemann", "--steps": "2"},
    "expected_gradients": {"--samples": "4"},
    "occlusion": {"--window": "112", "--stride": "112"},
    "lime": {"--samples": "30"},
    "normlime": {"--samples": "30"},
    "glime": {"--samples": "30"},
    "lime_prior": {"--samples": "30"},
    "tam": {"--steps": "2"},
    "bidirectional_transformer": {"--steps": "2"},
}
REVIEWS = [
    "a warm, funny film",
    "a dull and lifeless story",
    "warm and moving, a funny film",
    "the film is dull",
    "a bad film with bad acting",
    "a funny story",
]
# Its public interface has 27; LIMEPriorInterpreter is in its sources only.
INTERFACE = 27


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with what the lines name: pictures, reviews, and what summaries leave behind."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "pictures").mkdir()
    for name in ("chelsea", "cat_and_coffee", "coffee"):
        shutil.copy(models.picture(name), folder / "pictures")
        shutil.copy(models.picture(name), folder)
    shutil.copy(models.picture("two_digits"), folder)
    (folder / "reviews.txt").write_text("\n".join(REVIEWS))
    return folder


def command(name):
    """The line's command, with fewer samples."""
    words = shlex.split(re.search(r"`(agnostic [^`]+)`", ROWS[name][1])[1])[1:]
    method = words[words.index("-m") + 1] if "-m" in words else ""
    fewer = [word for option, value in FEWER.get(method, {}).items() if option not in words for word in (option, value)]
    return words + fewer


def needs(name):
    """The models that a line names."""
    return {word for word in command(name) if word in models.names()}


def prepared(name, desk, monkeypatch):
    monkeypatch.chdir(desk)
    for model in needs(name):
        models.path(model)  # built here, where it is one on demand


@pytest.fixture(scope="module")
def priors(desk):
    """What the lines before have written: the prior of NormLIME's pictures, and LIME's of the reviews."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(desk)
        pictures = command("NormLIMECVInterpreter")
        reviews = ["summarize", "sentiment", "reviews.txt", "-m", "lime", "-t", "positive", "--samples", "30"]
        assert run([*pictures, "--quiet"]) == run([*reviews, "--quiet"]) == 0
    return desk


def test_every_interpreter_has_a_line():
    assert len(ROWS) == INTERFACE + 1
    assert sum("not in its interface" in name for name in ROWS) == 1
    assert all(all(cells) for cells in ROWS.values())


TRAINING = [name for name in ROWS if "agnostic training" in ROWS[name][1]]


@pytest.mark.parametrize("name", [name for name in ROWS if name not in TRAINING])
def test_the_line_runs_on_a_real_model(name, priors, monkeypatch, tmp_path):
    prepared(name, priors, monkeypatch)
    assert run([*command(name), "--out", str(tmp_path), "--quiet", "--batch-size", "4"]) == 0
    records = list(tmp_path.glob("*.safetensors"))
    assert records
    for record in records:
        if command(name)[0] == "summarize":
            assert Summary.load(record).rows()
        else:
            values = Explanation.load(record).values
            assert abs(values).max() > 0
    assert list(tmp_path.glob("*.png"))


@pytest.fixture(scope="module")
def training_run(desk):
    """A linear model of handwritten digits while it learns them, three labels wrong, recorded for six epochs."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier

    from agnostic.training import Recorder

    x, y = load_digits(return_X_y=True)
    x, y = x[:300] / 16, y[:300].copy()
    y[[5, 50, 150]] = (y[[5, 50, 150]] + 1) % 10
    learner = SGDClassifier(loss="log_loss", random_state=0)
    recorder = Recorder(desk / "RUN", len(x), 10)
    for _ in range(6):
        learner.partial_fit(x, y, classes=np.arange(10))
        recorder.epoch(np.arange(len(x)), learner.decision_function(x).astype(np.float32), y)
    return desk


@pytest.mark.parametrize("name", TRAINING)
def test_a_line_on_training_runs_on_a_recorded_run(name, training_run, monkeypatch, tmp_path):
    monkeypatch.chdir(training_run)
    assert run([*command(name), "--out", str(tmp_path), "--quiet"]) == 0
    assert any(file.stat().st_size for file in tmp_path.rglob("*.csv"))


def test_glime_leans_on_what_many_pictures_say(priors, monkeypatch):
    """On three pictures and a real network: towards the prior as it gets stronger."""
    monkeypatch.chdir(priors)
    from agnostic import explain
    from agnostic.summary.priors import Prior

    prior = Prior.load("summary.normlime.prior.json")
    how = {"features": "grid:4", "samples": 60, "prior": prior, "stop": 0.0}
    weak, strong = (explain("squeezenet", "chelsea.jpg", "glime", "Egyptian cat", force=f, **how) for f in (1e-3, 1e3))
    assert strong.meta["prior_features"] == weak.meta["prior_features"] > 8
    assert abs(strong.weights - weak.weights).max() > 0.1 * abs(weak.weights).max()

"""The recorder and its files: what goes in comes out, and whatever kills it leaves whole epochs."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agnostic.errors import InputError, LimitError, UsageError
from agnostic.training import store
from agnostic.training.recorder import Recorder
from agnostic.training.run import open_run

# Each epoch's scores follow from its number alone, so that a resumed recording can be compared with a whole one.
LOOP = """
import sys
import numpy as np
from agnostic.training.recorder import Recorder

with Recorder(sys.argv[1], 400, 7) as recorder:
    while recorder.epochs < int(sys.argv[2]):
        rng = np.random.default_rng(recorder.epochs)
        logits = rng.normal(size=(400, 7))
        for part in np.array_split(rng.permutation(400), 9):
            recorder.batch(part, logits[part], part % 7)
        print(recorder.epoch(), flush=True)
"""


def test_what_is_recorded_is_read_back(tmp_path: Path, rng: np.random.Generator) -> None:
    logits, labels = rng.normal(scale=5, size=(3, 50, 4)), rng.integers(0, 4, 50)
    with Recorder(tmp_path / "run", n=50, classes=4) as recorder:
        numbers = [recorder.epoch(np.arange(50), scores, labels) for scores in logits]
    assert numbers == [0, 1, 2]
    block = open_run(tmp_path / "run").block(0, 50)
    np.testing.assert_array_equal(block.labels, labels)
    np.testing.assert_array_equal(block.logits.argmax(axis=2), logits.argmax(axis=2))
    lowered = logits - logits.max(axis=2, keepdims=True)
    np.testing.assert_allclose(block.logits, lowered, rtol=2**-11, atol=1e-7)


def test_batches_in_any_order_are_one_epoch(tmp_path: Path, rng: np.random.Generator) -> None:
    logits, labels, order = rng.normal(size=(20, 3)), rng.integers(0, 3, 20), rng.permutation(20)
    with Recorder(tmp_path / "parts", 20, 3) as parts, Recorder(tmp_path / "whole", 20, 3) as whole:
        for chosen in np.split(order, 4):
            parts.batch(chosen, torch.from_numpy(logits[chosen]).requires_grad_(), torch.from_numpy(labels[chosen]))
        parts.epoch()
        whole.epoch(list(range(20)), logits.tolist(), labels.tolist())
    names = [store.epoch_path(tmp_path / kind, 0).read_bytes() for kind in ("parts", "whole")]
    assert names[0] == names[1]


def test_bfloat16_scores_are_taken(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 2, 2) as recorder:
        recorder.epoch([0, 1], torch.tensor([[1.0, 3.0], [2.0, 0.5]], dtype=torch.bfloat16), [0, 1])
    np.testing.assert_array_equal(open_run(tmp_path / "run").block(0, 2).logits[0], [[-2, 0], [0, -1.5]])


def test_a_single_score_stands_for_two_classes(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 2, 2) as recorder:
        recorder.epoch([0, 1], np.array([-1.0, 2.0]), [0, 1])
    chances = open_run(tmp_path / "run").block(0, 2).probabilities()[0, :, 1]
    np.testing.assert_allclose(chances, 1 / (1 + np.exp([1.0, -2.0])), rtol=1e-3)


def test_the_closest_race_is_not_rounded_to_a_tie(tmp_path: Path) -> None:
    logits = np.array([[1.0, 1.0 + 1e-12], [70000.0, -70000.0]])
    with Recorder(tmp_path / "run", 2, 2) as recorder:
        recorder.epoch([0, 1], logits, [0, 0])
    kept = open_run(tmp_path / "run").block(0, 2).logits[0]
    assert kept.argmax(axis=1).tolist() == [1, 0]
    assert np.isfinite(kept).all()


GOOD = (np.arange(4), np.zeros((4, 3)), np.array([0, 1, 2, 0]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((np.array([0, 1, 2, 4]), None, None), "ids: 4 is out of range; expected 0 to 3"),
        ((np.array([0, -1, 2, 3]), None, None), "ids: -1 is out of range"),
        ((np.array([0, 1, 1, 3]), None, None), "ids: 1 comes twice"),
        ((np.array([0.0, 1, 2, 3]), None, None), "ids: expected whole numbers"),
        ((None, np.full((4, 3), np.nan), None), "those of sample 0 are NaN or infinite"),
        ((None, np.array([[0, 0, 0]] * 3 + [[0, np.inf, 0]]), None), "those of sample 3 are NaN or infinite"),
        ((None, np.zeros((4, 5)), None), "this run has 3 classes"),
        ((None, np.zeros((3, 3)), None), "4 ids, 3 rows of logits"),
        ((None, None, np.array([0, 1, 3, 0])), "labels: 3 is out of range; expected 0 to 2"),
        ((None, "none", None), "logits|expected an array"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(tmp_path: Path, change: Any, said: str) -> None:
    given = [new if new is not None else good for new, good in zip(change, GOOD, strict=True)]
    with Recorder(tmp_path / "run", 4, 3) as recorder:
        with pytest.raises(InputError, match=said):
            recorder.epoch(*given)
        assert recorder.epochs == 0
        assert recorder.epoch(*GOOD) == 0


def test_a_sample_comes_once_an_epoch_and_keeps_its_label(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 4, 3) as recorder:
        recorder.batch([0, 1], np.zeros((2, 3)), [0, 1])
        with pytest.raises(InputError, match="sample 1 comes twice in epoch 0"):
            recorder.batch([1, 2], np.zeros((2, 3)), [1, 2])
        recorder.epoch()
    with Recorder(tmp_path / "run", 4, 3) as recorder:
        with pytest.raises(InputError, match="sample 1 had the label 1 and has 2 in epoch 1"):
            recorder.epoch([1], np.zeros((1, 3)), [2])
        with pytest.raises(InputError, match="holds no sample"):
            recorder.epoch()


def test_a_run_of_another_size_or_kind_is_not_gone_on_with(tmp_path: Path) -> None:
    Recorder(tmp_path / "run", 4, 3).close()
    with pytest.raises(UsageError, match="4 samples and 3 classes, not 4 and 5"):
        Recorder(tmp_path / "run", 4, 5)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds something else"):
        Recorder(tmp_path / "other", 4, 3)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="expected 1 or more and 2 or more"):
        Recorder(tmp_path / "new", 4, 1)
    (tmp_path / "file").touch()
    with pytest.raises(LimitError, match="cannot be made"):
        Recorder(tmp_path / "file" / "run", 4, 3)


def test_two_recorders_do_not_share_a_folder(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 4, 3), pytest.raises(UsageError, match="another recorder writes there"):
        Recorder(tmp_path / "run", 4, 3)
    Recorder(tmp_path / "run", 4, 3).close()


def test_a_training_that_goes_back_drops_what_it_repeats(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 4, 3) as recorder:
        for _ in range(5):
            recorder.epoch(*GOOD)
    with Recorder(tmp_path / "run", 4, 3, start=2) as recorder:
        assert recorder.epochs == 2
        assert recorder.epoch(*GOOD) == 2
    with pytest.raises(UsageError, match="start=9: the run has 3 epochs"):
        Recorder(tmp_path / "run", 4, 3, start=9)


def test_broken_runs_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recorded run there"):
        open_run(tmp_path)
    with Recorder(tmp_path / "run", 4, 3) as recorder:
        with pytest.raises(InputError, match="has no epoch yet"):
            open_run(tmp_path / "run")
        for _ in range(3):
            recorder.epoch(*GOOD)
    whole = store.epoch_path(tmp_path / "run", 1)
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"epoch-00001.safetensors: cannot be read"):
        _ = open_run(tmp_path / "run").labels
    whole.unlink()
    with pytest.raises(InputError, match="missing, while later epochs are there"):
        open_run(tmp_path / "run")
    (tmp_path / "run" / store.RUN).write_text('{"format": "agnostic.training.1", "samples": -3, "classes": 2}')
    with pytest.raises(InputError, match="not written by this package"):
        open_run(tmp_path / "run")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    code = """
        import resource, sys, numpy as np
        from agnostic.errors import LimitError
        from agnostic.training.recorder import Recorder
        import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        rec = Recorder(sys.argv[1], 1000, 10)
        given = np.arange(1000), np.zeros((1000, 10)), np.zeros(1000, int)
        rec.epoch(*given)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        try:
            rec.epoch(*given)
        except LimitError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(rec.epochs, rec.epoch())
    """
    import textwrap

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "run")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout
    assert done.stdout.split()[-2:] == ["1", "1"]


def test_killed_at_any_moment_it_resumes_with_the_same_bytes(tmp_path: Path) -> None:
    epochs = 24

    def start(folder: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path / folder), str(epochs)], stdout=subprocess.PIPE, text=True
        )

    assert start("whole").communicate(timeout=60)[0].split()[-1] == str(epochs - 1)
    moments = random.Random(0)
    kills = done = 0
    while kills < 12:
        process = start("killed")
        assert process.stdout is not None
        if not process.stdout.readline():  # nothing is left to do
            process.communicate()
            break
        time.sleep(moments.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        said = process.communicate()[0].split()
        kills += 1
        # Every epoch that was reported is there, and at most one more that was written but not reported.
        now = store.count_epochs(tmp_path / "killed")
        last = int(said[-1]) + 1 if said else done
        assert last <= now <= epochs and now >= done + 1
        done = now
    start("killed").communicate(timeout=60)
    assert kills >= 3
    for number in range(epochs):
        paths = [store.epoch_path(tmp_path / folder, number) for folder in ("whole", "killed")]
        assert paths[0].read_bytes() == paths[1].read_bytes()
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith(".epoch")]

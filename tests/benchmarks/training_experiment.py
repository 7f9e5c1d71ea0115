"""Which samples have a wrong label? InterpretDL's experiment, on real digits, beside a random ranking and cleanlab.

`python tests/benchmarks/training_experiment.py [--epochs N] [--seeds N] [--wrong SHARE] [--page DIR]` (`make
training-experiment`). A share of the labels of 5,000 digits is replaced under a seed, a small network is trained on all
of them, and what it says of every sample at the end of every epoch is recorded. Each ranking is then judged by the
labels that were replaced: precision and recall of what it flags, precision among as many as there are (R), and average
precision. cleanlab ranks the same probabilities: those of the last epoch, and their mean over the epochs.
"""

import argparse
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from digits_cnn import CLASSES, Digits, digits, inputs_of, network, to_onnx, trained

from agnostic.training import (
    Ranking,
    Recorder,
    Run,
    aum,
    combined,
    confident,
    forgetting,
    found,
    measure,
    open_run,
    record_checkpoints,
    tidy,
)  # fmt: skip
from agnostic.training.callbacks import TorchCallback
from agnostic.training.data import arrays
from agnostic.training.dynamics import Dynamics
from agnostic.training.ranking import ranked


def record(data: Digits, out: Path, epochs: int, seed: int, checkpoints: Path | None = None) -> Run:
    """Train, record each epoch, and write a checkpoint after each where a folder is given."""
    x = inputs_of(data.pictures)
    net = network(seed=seed)
    with Recorder(out, len(x), CLASSES) as recorder:
        after = TorchCallback(recorder, net, torch.from_numpy(x), data.labels)
        for epoch in trained(net, x, data.labels, epochs=epochs, seed=seed):
            after()
            if checkpoints is not None:
                checkpoints.mkdir(exist_ok=True)
                (checkpoints / f"epoch-{epoch:03d}.onnx").write_bytes(to_onnx(net).SerializeToString())
    return open_run(out)


def rankings(run: Run, dynamics: Dynamics) -> list[Ranking]:
    """All of ours."""
    singles = [
        tidy.tidy(dynamics),
        aum.aum(dynamics),
        forgetting.forgetting(dynamics),
        confident.confident(dynamics, run),
    ]
    return [*singles, combined([singles[0], singles[1], singles[3]])]


def others(run: Run, dynamics: Dynamics, seed: int) -> list[Ranking]:
    """A random ranking, and cleanlab's on the same scores."""
    score = np.random.default_rng(seed).random(len(dynamics))
    made = [Ranking("random", score, ranked(score, dynamics.there), np.zeros(len(score), bool))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    chances = np.concatenate([block.probabilities() for block in run.blocks()], axis=1).astype(np.float64)
    for name, given in (("last", chances[-1]), ("mean", chances.mean(axis=0))):
        shares = given / given.sum(axis=1, keepdims=True)
        for method in ("self_confidence", "normalized_margin"):
            score = -get_label_quality_scores(dynamics.labels, shares, method=method)
            flagged = find_label_issues(dynamics.labels, shares, n_jobs=1)
            made.append(Ranking(f"cleanlab {method}, {name}", score, ranked(score, dynamics.there), flagged))
    return made


def line(ranking: Ranking, flipped: np.ndarray) -> str:
    """One line of the table."""
    result = found(ranking, flipped)
    return (
        f"{ranking.name:36}{result.flagged:8}{result.precision:11.3f}{result.recall:8.3f}{result.at_known:8.3f}"
        f"{result.average_precision:8.4f}"
    )


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--wrong", type=float, default=0.05)
    parser.add_argument("--keep", type=Path, help="a folder for the last run, its checkpoints and data")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    for seed in range(options.seeds):
        data = digits(options.samples, wrong=options.wrong, seed=seed)
        with tempfile.TemporaryDirectory() as room:
            place = Path(room) if options.keep is None else options.keep
            place.mkdir(exist_ok=True, parents=True)
            run = record(data, place / f"run{seed}", options.epochs, seed, place / f"checkpoints{seed}")
            again = record_checkpoints(
                [place / f"checkpoints{seed}"], arrays(data.pictures, data.labels), place / f"again{seed}"
            )
            report(data, run, again, seed)
            np.savez(
                place / f"digits{seed}.npz",
                x=data.pictures,
                y=data.labels,
            )


def report(data: Digits, run: Run, again: Run, seed: int) -> None:
    """Print the table of one run, and whether the checkpoints tell the same."""
    dynamics = measure(run)
    print(
        f"seed {seed}: {len(dynamics)} digits, {len(data.flipped)} with a wrong label, {run.epochs} epochs; at the end "
        f"{(dynamics.predicted == dynamics.labels).mean():.3f} are predicted as labelled, "
        f"{(dynamics.predicted == data.truth)[data.flipped].mean():.3f} of the wrong ones as what they are"
    )
    print(f"{'':36}{'flagged':>8}{'precision':>11}{'recall':>8}{'R':>8}{'AP':>8}")
    ours = rankings(run, dynamics)
    for ranking in (*ours, *others(run, dynamics, seed)):
        print(line(ranking, data.flipped))
    same = [
        float(np.mean(one.order == other.order))
        for one, other in zip(ours, rankings(again, measure(again)), strict=True)
    ]
    print(
        f"places that the checkpoints on onnxruntime give alike: {', '.join(f'{share:.4f}' for share in same)}\n",
        flush=True,
    )


if __name__ == "__main__":
    main()

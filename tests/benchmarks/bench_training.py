"""What the rankings of a large run cost: 60,000 samples, 50 epochs, 10 classes.

`python tests/benchmarks/bench_training.py [--samples N] [--epochs N] [--classes N] [--rounds N]`. Scores are drawn so
that most samples are learned. All four rankings and their combination take turns with a floor, which reads the same
files with NumPy and takes one softmax of what is in them; recording takes turns with writing the same bytes. The ratios
are ours over the floor's. On top come the seconds of a run in a process of its own, from opening the run to the last
ranking, and its peak memory (Linux).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from agnostic.training import Recorder, aum, combined, confident, forgetting, measure, open_run, store, tidy
from agnostic.training.store import Size


def scores(size: Size, epoch: int, labels: np.ndarray) -> np.ndarray:
    """Scores in which the label grows from epoch to epoch."""
    found = np.random.default_rng(epoch).normal(size=size).astype(np.float32)
    found[np.arange(size.samples), labels] += 0.1 * epoch
    return found


def ours(folder: Path) -> None:
    """Every ranking."""
    run = open_run(folder)
    dynamics = measure(run)
    singles = [
        tidy.tidy(dynamics),
        aum.aum(dynamics),
        forgetting.forgetting(dynamics),
        confident.confident(dynamics, run),
    ]
    combined(singles)


def floor(folder: Path) -> None:
    """Read everything once, and take its softmax."""
    size = store.read_size(folder)
    for number in range(store.count_epochs(folder)):
        logits = store.read_logits(folder, number, size, 0, size.samples).astype(np.float32)
        powers = np.exp(logits)
        powers /= powers.sum(axis=1, keepdims=True)


def timed(work: Callable[[], object]) -> float:
    """Processor seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def alone(folder: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of the rankings in a process of their own."""
    done = subprocess.run(
        [sys.executable, __file__, "--inside", str(folder)], capture_output=True, text=True, check=True
    )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def inside(folder: Path) -> None:
    """Rank, and print seconds and this process's high-water mark, as its status has it."""
    start = time.perf_counter()
    ours(folder)
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    print(time.perf_counter() - start, peak / 1024)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--inside", type=Path)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside)
        return
    size = Size(options.samples, options.classes)
    labels = np.random.default_rng(0).integers(0, size.classes, size.samples)
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "run"
        record(folder, size, options.epochs, labels)
        ratios = [timed(lambda: ours(folder)) / timed(lambda: floor(folder)) for _ in range(options.rounds)]
        print(f"rankings: {median(ratios):.1f} x reading and one softmax")
        seconds, megabytes = alone(folder)
        print(f"alone: {seconds:.1f} s, {megabytes:.0f} MB at the peak", flush=True)


def record(folder: Path, size: Size, epochs: int, labels: np.ndarray) -> None:
    """Record, and print what it costs beside writing as many bytes."""
    ratios, ids, spare = [], np.arange(size.samples), folder.parent / "spare"
    with Recorder(folder, size.samples, size.classes) as recorder:
        for epoch in range(epochs):
            drawn = scores(size, epoch, labels)
            spent = timed(lambda drawn=drawn: recorder.epoch(ids, drawn, labels))
            halves = drawn.astype(np.float16)
            ratios.append(spent / timed(lambda halves=halves: spare.write_bytes(halves.tobytes())))
            content = store.epoch_path(folder, epoch).stat().st_size
    print(
        f"recording {size.samples} x {size.classes}: {median(ratios):.0f} x the processor time of a bare write; "
        f"{content / size.samples:.1f} bytes a sample and epoch"
    )


if __name__ == "__main__":
    main()

"""What the index of examples costs beside running the model on the same pictures.

`python tests/benchmarks/bench_examples.py [--pictures N] [--race N] [--layers few,main] [--kills N]`. Pictures are
pieces of the shipped photographs, some mirrored, saved as JPEG files of 256 x 256 pixels in a folder that is removed at
the end. The index and two floors take turns, one shard of pictures at a time: a forward pass in the engine's batches of
4 that hands out the same layers of pictures already decoded, and one that has to read and decode them first, one by one
between the passes. The ratios are those of pictures per second, index over floor, so 1 means that the index costs
nothing; each is the median of the shards. On top comes the peak memory of a process that indexes 1,000 pictures and all
of them, and, if asked for, an index that is killed at random moments and gone on with, compared byte by byte with one
that was let be.
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
from PIL import Image, ImageOps

import agnostic
from agnostic import models
from agnostic.blocks.examples import build
from agnostic.blocks.examples_files import read
from agnostic.engine.model import Model

# The batch of the floors; the index chooses its own.
BATCH, SHARD = 4, 1024
LAYERS = {
    "few": ("pool1", "fire3/concat", "fire5/concat", "fire9/concat"),
    "main": ("conv1", *(f"fire{number}/concat" for number in range(2, 10)), "conv10"),
}


def paint(folder: Path, count: int) -> list[Path]:
    """Save pieces of the shipped photographs."""
    photos = [Image.open(models.picture(name)).convert("RGB") for name in models.pictures()]
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        photo = photos[int(rng.integers(len(photos)))]
        side = int(rng.integers(min(photo.size) // 3, min(photo.size)))
        left, top = (int(rng.integers(0, length - side + 1)) for length in photo.size)
        piece = photo.resize((256, 256), box=(left, top, left + side, top + side))
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        (ImageOps.mirror(piece) if rng.random() < 0.5 else piece).save(path, quality=85)
        paths.append(path)
    return paths


def forward(model: Model, rows: list[np.ndarray], layers: tuple[str, ...]) -> None:
    """Run rows batch by batch."""
    for start in range(0, len(rows), BATCH):
        model.run(np.stack(rows[start : start + BATCH]), (*layers, model.scores_tensor))


def decode_and_forward(model: Model, paths: list[Path], layers: tuple[str, ...]) -> None:
    """Read and run batch by batch, one after the other."""
    assert model.preprocess is not None
    for start in range(0, len(paths), BATCH):
        rows = [read(path, model.preprocess).row for path in paths[start : start + BATCH]]
        forward(model, [row for row in rows if row is not None], layers)


def now() -> tuple[float, float]:
    """Wall and processor seconds."""
    return time.perf_counter(), time.process_time()


def since(then: tuple[float, float]) -> tuple[float, float]:
    """Wall and processor seconds since then."""
    return time.perf_counter() - then[0], time.process_time() - then[1]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds that some work takes."""
    then = now()
    work()
    return since(then)


class Turns:
    """Floors that run whenever a shard of an index is written, while the clock of the index stands still."""

    def __init__(self, model: Model, paths: list[Path], layers: tuple[str, ...]) -> None:
        """Start the clock of the index."""
        assert model.preprocess is not None
        self.model, self.preprocess, self.paths, self.layers = model, model.preprocess, paths, layers
        self.spent: list[list[tuple[float, float]]] = []
        self.told = 0
        self.clock = now()

    def __call__(self, done: int, count: int) -> None:
        """Be told of progress: after each batch, and once more when a shard is written."""
        written, self.told = done == self.told, done
        if written:
            mine = since(self.clock)
            self.spent.append([mine, *self.floors(self.paths[len(self.spent) * SHARD : done])])
            self.clock = now()

    def floors(self, part: list[Path]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Time both floors on the pictures of a shard; whoever comes first finds other caches than the next."""
        rows = [row for path in part if (row := read(path, self.preprocess).row) is not None]
        works: list[Callable[[], object]] = [
            lambda: forward(self.model, rows, self.layers),
            lambda: decode_and_forward(self.model, part, self.layers),
        ]
        times = {place: timed(works[place]) for place in ((0, 1) if len(self.spent) % 2 else (1, 0))}
        return times[0], times[1]


def race(model: Model, paths: list[Path], layers: tuple[str, ...], out: Path, name: str) -> None:
    """Index, the floors in between, and print the ratios."""
    decode_and_forward(model, paths[:8], layers)
    turns = Turns(model, paths, layers)
    build(model, paths, layers, out / name, shard_size=SHARD, progress=turns)
    totals = np.array(turns.spent).sum(axis=0)
    ratios = np.array(turns.spent)[:, 1:] / np.array(turns.spent)[:, :1]
    low, high = np.percentile(ratios[:, 0, 0], (25, 75))
    print(
        f"{name:6}{len(layers):4} layers {len(paths):6} pictures   index {len(paths) / totals[0, 0]:6.1f}/s   "
        f"x plain forward {median(ratios[:, 0, 0]):.2f} wall (quartiles {low:.2f} and {high:.2f}) "
        f"{median(ratios[:, 0, 1]):.2f} CPU   "
        f"x decode and forward {median(ratios[:, 1, 0]):.2f} wall {median(ratios[:, 1, 1]):.2f} CPU",
        flush=True,
    )


def memory(folder: Path, count: int, layers: tuple[str, ...], out: Path) -> float:
    """Peak megabytes of a process that indexes so many pictures (Linux)."""
    done = subprocess.run(child(folder, count, layers, out), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def child(folder: Path, count: int, layers: tuple[str, ...], out: Path) -> list[str]:
    """The command of a process that indexes the first pictures of a folder."""
    what = ["--inside", str(folder), "--pictures", str(count), "--layers", ",".join(layers), "--out", str(out)]
    return [sys.executable, __file__, *what]


def inside(folder: Path, count: int, layers: tuple[str, ...], out: Path) -> None:
    """Index, and print the high-water mark of this process, as its status has it: getrusage counts the parent's too."""
    build(agnostic.load("squeezenet", device="cpu"), sorted(folder.rglob("*.jpg"))[:count], layers, out)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024)


def killed(folder: Path, count: int, layers: tuple[str, ...], whole: Path, seconds: float, times: int) -> None:
    """Kill an index at random moments, go on, and compare with the one that took so many seconds in one go."""
    out, rng = whole.parent / "killed", np.random.default_rng(0)
    for _ in range(times):
        begun = subprocess.Popen(child(folder, count, layers, out), stdout=subprocess.DEVNULL)
        try:
            # A run loses what it has of a shard at most, so that these together do not get to the end.
            begun.wait(rng.uniform(0, 2 * seconds / times))
        except subprocess.TimeoutExpired:
            begun.kill()
        begun.wait()
        there = len(list(out.glob("shard-*"))) if out.exists() else 0
        print(f"killed with {there} shards written", flush=True)
    subprocess.run(child(folder, count, layers, out), stdout=subprocess.DEVNULL, check=True)
    same = contents(out) == contents(whole)
    print(f"killed {times} times and gone on with: {'the same bytes' if same else 'OTHER BYTES'}", flush=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of an index."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--race", type=int, default=3072, help="pictures of the race; the rest is for memory alone")
    parser.add_argument("--layers", default="few,main")
    parser.add_argument("--kills", type=int, default=0, help="how often to kill an index of all pictures")
    parser.add_argument("--race-only", action="store_true", help="leave out what memory costs")
    parser.add_argument("--inside", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside, options.pictures, tuple(options.layers.split(",")), options.out)
        return
    model = agnostic.load("squeezenet", device="cpu")
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start; floor in batches of {BATCH}")
    with tempfile.TemporaryDirectory() as room:
        folder, layers = Path(room) / "pictures", LAYERS["few"]
        paths = paint(folder, options.pictures)
        for name in options.layers.split(",") if options.race else ():
            race(model, paths[: options.race], LAYERS[name], Path(room), name)
        for count in () if options.race_only else dict.fromkeys((min(1000, options.pictures), options.pictures)):
            started = time.perf_counter()
            peak = memory(folder, count, layers, Path(room) / f"all{count}")
            print(f"peak memory of a process that indexes {count:6} pictures: {peak:.0f} MB", flush=True)
        if options.kills:
            seconds = time.perf_counter() - started
            killed(folder, options.pictures, layers, Path(room) / f"all{options.pictures}", seconds, options.kills)


if __name__ == "__main__":
    main()

"""What the index of examples costs beside running the model on the same pictures.

`python tests/benchmarks/bench_examples.py [--pictures N] [--layers all|few] [--rounds N]`. Pictures are pieces of a
shipped photograph, saved as JPEG files of 256 x 256 pixels in a folder that is removed at the end. The index and two
floors take turns, one shard of pictures at a time: a forward pass in the same batches that hands out the same layers
of pictures already decoded, and one that has to read and decode them first, one by one between the passes. The ratios
are those of pictures per second, index over floor, so 1 means that the index costs nothing; on top comes the peak
memory of a process that indexes 1,000 pictures and all of them.
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
from PIL import Image

import agnostic
from agnostic import models
from agnostic.blocks.examples import build
from agnostic.blocks.examples_files import read
from agnostic.engine.model import Model

BATCH, SHARD = 4, 512
LAYERS = {
    "few": ("pool1", "fire3/concat", "fire5/concat", "fire9/concat"),
    "main": ("conv1", *(f"fire{number}/concat" for number in range(2, 10)), "conv10"),
}


def paint(folder: Path, count: int) -> list[Path]:
    """Save pieces of a photograph; beyond a thousand of them a file is linked again under another name."""
    photo = Image.open(models.picture("cat_and_coffee")).convert("RGB")
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < 1000:
            side = int(rng.integers(100, min(photo.size)))
            left, top = (int(rng.integers(0, length - side)) for length in photo.size)
            photo.resize((256, 256), box=(left, top, left + side, top + side)).save(path, quality=85)
        else:
            os.link(paths[number % 1000], path)
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


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def race(model: Model, paths: list[Path], layers: tuple[str, ...], out: Path, name: str) -> None:
    """Index shard by shard, the floors in between, and print the ratios."""
    assert model.preprocess is not None
    parts = [paths[start : start + SHARD] for start in range(0, len(paths), SHARD)]
    spent: list[list[tuple[float, float]]] = []
    decode_and_forward(model, paths[:8], layers)
    for number, part in enumerate(parts):
        rows = [row for path in part if (row := read(path, model.preprocess).row) is not None]
        works: list[Callable[[], object]] = [
            lambda part=part, number=number: build(  # type: ignore[misc]
                model, part, layers, out / f"{name}{number}", batch_size=BATCH, shard_size=SHARD
            ),
            lambda rows=rows: forward(model, rows, layers),  # type: ignore[misc]
            lambda part=part: decode_and_forward(model, part, layers),  # type: ignore[misc]
        ]
        # Whoever comes first finds other caches than whoever comes last.
        order = [(place + number) % 3 for place in range(3)]
        times = {place: timed(works[place]) for place in order}
        spent.append([times[place] for place in range(3)])
    totals = np.array(spent).sum(axis=0)
    ratios = np.array(spent)[:, 1:] / np.array(spent)[:, :1]
    print(
        f"{name:6}{len(layers):4} layers {len(paths):6} pictures   index {len(paths) / totals[0, 0]:6.1f}/s   "
        f"x plain forward {median(ratios[:, 0, 0]):.2f} wall {median(ratios[:, 0, 1]):.2f} CPU   "
        f"x decode and forward {median(ratios[:, 1, 0]):.2f} wall {median(ratios[:, 1, 1]):.2f} CPU",
        flush=True,
    )


def memory(folder: Path, count: int, layers: tuple[str, ...]) -> float:
    """Peak megabytes of a process that indexes so many pictures (Linux)."""
    command = [
        sys.executable,
        __file__,
        "--inside",
        str(folder),
        "--pictures",
        str(count),
        "--layers",
        ",".join(layers),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def inside(folder: Path, count: int, layers: tuple[str, ...]) -> None:
    """Index, and print the high-water mark of this process, as its status has it: getrusage counts the parent's too."""
    with tempfile.TemporaryDirectory() as out:
        build(agnostic.load("squeezenet", device="cpu"), sorted(folder.rglob("*.jpg"))[:count], layers, out)
    lines = Path("/proc/self/status").read_text().splitlines()
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024)


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--race", type=int, default=2048, help="pictures of the race; the rest is for memory alone")
    parser.add_argument("--layers", default="few,main")
    parser.add_argument("--inside", type=Path)
    options = parser.parse_args()
    if options.inside:
        inside(options.inside, options.pictures, tuple(options.layers.split(",")))
        return
    model = agnostic.load("squeezenet", device="cpu")
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start; batches of {BATCH}")
    with tempfile.TemporaryDirectory() as room:
        paths = paint(Path(room) / "pictures", options.pictures)
        for name in options.layers.split(","):
            race(model, paths[: options.race], LAYERS[name], Path(room), name)
        for count in dict.fromkeys((min(1000, options.pictures), options.pictures)):
            peak = memory(Path(room) / "pictures", count, LAYERS["few"])
            print(f"peak memory of a process that indexes {count:6} pictures: {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()

"""What the methods cost above the forward passes they need, and what `lime` and `dianna` cost on the same model.

Run ``python tests/benchmarks/bench_methods.py``. The floor of a method is as many forward passes through a bare
onnxruntime session of the same graph, at the batch size at which that is fastest. Floor and contender run in turns, a
few batches each, so that whatever else the machine does slows both; a row shows the medians of the rounds' ratios.
"""

import argparse
import os
import platform
import sys
import warnings
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

import bench_kernels
from contenders import Entry, dianna_shap, ours, peers, pixels_for
from floor import Cost, Floor, Race, now, ratios, warm_up
from memory import peak

from agnostic import models
from agnostic.engine.model import Model

PACKAGES = ("numpy", "numba", "onnxruntime-gpu", "onnxruntime", "lime", "dianna", "shap")
MEMORY_GOAL = 300


class Plan(NamedTuple):
    """How much is run."""

    models: tuple[str, ...]
    rounds: int
    samples: int  # of ours and of lime
    few: int  # of dianna, which is far slower
    patience: float  # seconds for dianna's KernelSHAP
    masks: int  # of the memory run
    dianna_masks: tuple[int, ...]  # tried in turn until one fits into memory


QUICK = Plan(("squeezenet",), 1, 200, 50, 10, 1000, (200,))
FULL = Plan(("efficientnet-lite0", "squeezenet"), 3, 1000, 100, 30, 5000, (5000, 2000, 1000))


def main() -> None:
    """Print the machine, the command and the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one model, one round, fewer samples")
    parser.add_argument("--rounds", type=int, help="rounds of every race (3, or 1 with --quick)")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    plan = plan._replace(rounds=arguments.rounds or plan.rounds)
    warnings.simplefilter("ignore")  # the peers' own
    print(f"$ python {' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])}\n{machine()}")
    for name in plan.models:
        print_races(name, plan)
    if sys.platform == "linux":  # elsewhere no high-water mark can be set back
        print_memory(plan)
    print_composition()


def machine() -> str:
    """The processor, its cores and the versions, in two lines."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {cpu}, load average {load:.1f} at the start\n{', '.join(found)}"


def print_races(name: str, plan: Plan) -> None:
    """Race everybody on one model, round by round, and print a row each."""
    model, path = models.load(name), models.path(name)
    floor = Floor(model, model.preprocess.row(pixels_for(model))[None])
    entries = [*ours(model, plan.samples), *peers(model, path, floor, plan.samples, plan.few)]
    for entry in entries:
        warm_up(entry.run)
    what = [f"{name}, round {number} of {plan.rounds}" for number in range(1, plan.rounds + 1)]
    races = [race for title in what for race in race_all(floor, entries, title)]
    found, sizes = ratios(races)
    best = Cost(*(min(values) for values in zip(*sizes.values(), strict=True)))
    rates = ", ".join(f"{1000 * cost.cpu:.1f} and {1000 * cost.wall:.1f} ms by {size}" for size, cost in sizes.items())
    print(f"\n{name}, CPU and wall-clock time of a pass at the floor: {rates}")
    print(f"{'':26}{'passes':>8}{'x floor, CPU':>14}{'x floor, wall':>15}{'goal':>7}")
    for at, entry in enumerate(entries):
        print(row(entry, races[at].passes, found[at :: len(entries)]))
    print_shap(model, path, plan, best)


def race_all(floor: Floor, entries: list[Entry], what: str) -> list[Race]:
    """Let every contender race the floor once, and say on the error stream how far that is."""
    races = []
    for entry in entries:
        print(f"\r{what}: {entry.name:26}", end="", file=sys.stderr, flush=True)
        races.append(floor.race(entry.run))
    print("\r", end="", file=sys.stderr)
    return races


def row(entry: Entry, passes: int, found: list[Cost]) -> str:
    """One line of a table, with the medians of the rounds."""
    ratio = Cost(*(median(values) for values in zip(*found, strict=True)))
    goal = f"{entry.goal:.2f}" if entry.goal else ""
    return f"{entry.name:26}{passes:8}{ratio.cpu:14.2f}{ratio.wall:15.2f}{goal:>7}"


def print_shap(model: Model, path: Path, plan: Plan, one: Cost) -> None:
    """Race dianna's KernelSHAP, which may not come to an end."""
    start = now()
    seconds = dianna_shap(model, path, plan.few, plan.patience)
    spent = now().since(start).times(1 / plan.few).per(one)
    shown = [f"{'' if seconds else '>'}{ratio:.0f}" for ratio in spent]
    note = "" if seconds else f"  (stopped unfinished after {plan.patience:.0f} s)"
    print(f"{'dianna KernelSHAP':26}{plan.few:8}{shown[0]:>14}{shown[1]:>15}{note}")


def print_memory(plan: Plan) -> None:
    """Peak memory of RISE above the loaded model."""
    print("\npeak memory of RISE above the loaded model, 224 px")
    for name in plan.models:
        used = peak("agnostic", name, plan.masks)
        print(f"{name:20} agnostic {plan.masks:6} masks {used:8.0f} MB   goal {MEMORY_GOAL} MB")
    for masks in plan.dianna_masks:
        used = peak("dianna", plan.models[-1], masks)
        shown = "more than 8 GB of address space" if used is None else f"{used:8.0f} MB"
        print(f"{plan.models[-1]:20} dianna   {masks:6} masks {shown}")
        if used is not None:
            break


def print_composition() -> None:
    """The row of the kernels' benchmark that the goal names."""
    compared = next(item for item in bench_kernels.rows() if item.task == "compose: lime's loop")
    times = [(bench_kernels.seconds(compared.ours), bench_kernels.seconds(compared.theirs)) for _ in range(9)]
    ratio = median(their / our for our, their in times)
    print(f"\ncomposing 64 inputs of 224 px: {ratio:.0f} times faster than lime's way   goal 20")


if __name__ == "__main__":
    main()

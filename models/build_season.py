"""Trains season.onnx: a convolutional network that names the season by the highest temperatures of 28 days.

Four years of Seattle's weather: three to learn from, the last one held out. The network ends in a mean over time and a
linear layer, so its class activation map is exact.

Run: python -m agnostic.models.build_season   (needs torch and vega_datasets; a few seconds)
"""

import csv
import json
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from agnostic.models.graph import Floats, GraphWriter, describe, to_bytes

DAYS, WIDTHS, KERNEL = 28, (16, 24, 32), 5
EPOCHS, BATCH = 40, 64
LAST_YEAR = 2015
SHOWN = "2015-10-16"
LABELS = ["winter", "spring", "summer", "autumn"]
SERIES = {"layout": "NCT", "channels": ["highest temperature"], "units": ["°C"], "time": "day"}
DOC = (
    "Three convolutions over the highest temperatures of 28 days in Seattle, which name the season of the day in their "
    "middle. Data: NOAA, public domain, 2012 to 2015, as vega_datasets ships it."
)


class Windows(NamedTuple):
    """Temperatures (n, 28) in °C, the season of each window's 15th day (n,), and its first days as yyyy-mm-dd."""

    x: Floats
    y: NDArray[np.int64]
    first: list[str]


def read_windows() -> tuple[Windows, Windows]:
    """Read the windows of three years to learn from, and those of the last one, held out; none lies in both."""
    text = resources.files("vega_datasets").joinpath("_data/seattle-weather.csv").read_text("utf-8")
    days = list(csv.DictReader(text.splitlines()))
    heat = np.array([float(day["temp_max"]) for day in days], np.float32)
    dates = [day["date"].replace("/", "-") for day in days]
    years, months = (np.array([int(date[part]) for date in dates]) for part in (slice(4), slice(5, 7)))
    starts = np.arange(len(days) - DAYS + 1)
    learnt, held_out = starts[years[starts + DAYS - 1] < LAST_YEAR], starts[years[starts] == LAST_YEAR]
    return tuple(  # type: ignore[return-value]
        Windows(
            np.stack([heat[at : at + DAYS] for at in chosen]), months[chosen + DAYS // 2] % 12 // 3,
            [dates[at] for at in chosen],
        )
        for chosen in (learnt, held_out)
    )  # fmt: skip


class Season(nn.Module):
    """The network that is trained; `write` says the same in ONNX."""

    def __init__(self, mean: float, deviation: float) -> None:
        """Draw the weights.

        Args:
            mean: of the temperatures that it learns from.
            deviation: theirs.
        """
        super().__init__()
        sizes = (1, *WIDTHS)
        self.scale = mean, deviation
        self.convolutions = nn.ModuleList(nn.Conv1d(a, b, KERNEL) for a, b in zip(sizes, WIDTHS, strict=False))
        self.head = nn.Linear(WIDTHS[-1], len(LABELS))

    def forward(self, heat: torch.Tensor) -> torch.Tensor:
        """Map temperatures (n, 1, 28) to logits (n, 4)."""
        x = (heat - self.scale[0]) / self.scale[1]
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
        logits: torch.Tensor = self.head(nn.functional.dropout(x.mean(2), 0.2, self.training))
        return logits


def train(windows: Windows, *, epochs: int = EPOCHS) -> Season:
    """Train from seed 0; each window is shifted by about a degree, so that the shape of the curve counts too."""
    torch.manual_seed(0)
    network = Season(float(windows.x.mean()), float(windows.x.std()))
    x, y = torch.tensor(windows.x)[:, None], torch.tensor(windows.y)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.01)
    steps = epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(len(x)), BATCH):
            heat = x[chosen] + 1.1 * torch.randn(len(chosen), 1, 1) + 0.7 * torch.randn(len(chosen), 1, DAYS)
            loss = nn.functional.cross_entropy(network(heat), y[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network.eval()


def write(network: Season) -> onnx.ModelProto:
    """Write the trained network as ONNX."""
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    graph = GraphWriter()
    mean, deviation = (
        graph.weight(name, np.array(value, np.float32)) for name, value in zip(_SCALE, network.scale, strict=True)
    )
    x = graph.op("Div", [graph.op("Sub", ["heat", mean], "scaled/moved"), deviation], "scaled")
    for number in range(len(WIDTHS)):
        source, layer = f"convolutions.{number}", f"conv{number + 1}"
        weights = state[f"{source}.weight"], state[f"{source}.bias"]
        x = graph.op("Relu", [graph.linear("Conv", x, layer, *weights, f"{layer}/pre", kernel_shape=[KERNEL])], layer)
    pooled = graph.op("GlobalAveragePool", [x], "pooled")
    mean_over_time = graph.op("Flatten", [pooled], "mean", axis=1)
    graph.linear("Gemm", mean_over_time, "logits", state["head.weight"], state["head.bias"], "logits", transB=1)
    model = graph.model("season", {"heat": ["n", 1, DAYS]}, {"logits": ["n", len(LABELS)]})
    return describe(model, DOC, None, LABELS, series=SERIES)


_SCALE = ("mean_temperature", "deviation")


def write_sample(path: Path) -> None:
    """Write 28 days that it has not learnt from: one temperature a line."""
    held_out = read_windows()[1]
    window = held_out.x[held_out.first.index(SHOWN)]
    path.write_text("\n".join([SERIES["channels"][0], *(f"{heat:.1f}" for heat in window)]) + "\n", "utf-8")


def main() -> None:
    """Train the network, write file and sample beside this module and print how good it is."""
    torch.set_num_threads(1)
    learnt, held_out = read_windows()
    network, here = train(learnt), Path(__file__).parent
    (here / "season.onnx").write_bytes(to_bytes(write(network)))
    write_sample(here / "samples" / "season.csv")
    right = network(torch.tensor(held_out.x)[:, None]).argmax(1).numpy() == held_out.y
    print(json.dumps({"windows": len(right), "accuracy": round(float(right.mean()), 3)}))


if __name__ == "__main__":
    main()

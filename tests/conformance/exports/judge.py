"""Judge an artefact by its file: the re-import against onnxruntime, float64 gradients against the original's."""

import time
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import torch
from artefact import Array, Artefact, Sample

from agnostic.converters.torch_import import OnnxModule, to_torch
from agnostic.engine.autograd import Autograd
from agnostic.engine.target import Target, Term
from agnostic.errors import AgnosticError

# Exporters that fold batch norms into float32 weights move the value itself by up to 1e-5.
VALUE, GRADIENT = 1e-4, 1e-5


class Verdict(NamedTuple):
    """One row of the table; differences are shares of the largest magnitude, NaN where nothing was compared."""

    exporter: str
    opset: int
    nodes: int
    batches: tuple[int, ...]
    forward: float
    value: float
    gradient: float
    seconds: float
    verdict: str
    note: str


class Differences(NamedTuple):
    """float32 outputs from onnxruntime's; float64 first output and gradient from the original's."""

    forward: float
    value: float
    gradient: float


def judge(artefact: Artefact) -> Verdict:
    """Import, compare, and say what came of it: right, refused, not exported, or what is wrong."""
    if artefact.model is None:
        return Verdict(artefact.exporter, 0, 0, (), np.nan, np.nan, np.nan, 0.0, "not exported", artefact.note)
    start = time.monotonic()
    found = Differences(np.nan, np.nan, np.nan)
    try:
        found = _differences(artefact)
        verdict = _verdict(artefact, found)
    except AgnosticError as error:
        verdict = f"refused: {error}"
    graph = artefact.model.graph
    opset = next((entry.version for entry in artefact.model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    batches = tuple(len(next(iter(sample.feeds.values()))) for sample in artefact.samples)
    seconds = time.monotonic() - start
    return Verdict(artefact.exporter, opset, len(graph.node), batches, *found, seconds, verdict, artefact.note)


def _verdict(artefact: Artefact, found: Differences) -> str:
    if not found.forward < artefact.tolerance:
        return "forward differs"
    if artefact.due == "refusal":
        return "imported, though a refusal was due"
    if found.value > VALUE:
        return "float64 value differs"
    return "right" if artefact.due == "forward" or found.gradient < GRADIENT else "gradient differs"


def _differences(artefact: Artefact) -> Differences:
    assert artefact.model is not None
    single = to_torch(artefact.model)
    session = running(artefact.model, artefact.straight)
    forward = max(_forward(single, session, sample) for sample in artefact.samples)
    if artefact.due == "refusal":
        targets = [Target((Term(name, (0,)),), name) for name in artefact.samples[0].weights]
        Autograd(artefact.model, straight_through=artefact.straight).check_path(targets, [artefact.source])
    if artefact.due != "gradient":
        return Differences(forward, np.nan, np.nan)
    double = to_torch(artefact.model, dtype=torch.float64, straight_through=artefact.straight)
    pairs = [_double(double, artefact.source, sample) for sample in artefact.samples]
    return Differences(forward, *(float(np.max(column)) for column in zip(*pairs, strict=True)))


def running(model: onnx.ModelProto, as_written: bool = False) -> onnxruntime.InferenceSession:
    """Open a model in onnxruntime, on one thread; as written, for roundings that its fusions would move."""
    options = onnxruntime.SessionOptions()
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _forward(module: OnnxModule, session: onnxruntime.InferenceSession, sample: Sample) -> float:
    names = [port.name for port in module.outputs]
    expected = dict(zip(names, session.run(names, sample.feeds), strict=True))
    with torch.no_grad():
        found = module.run({name: _tensor(value) for name, value in sample.feeds.items()}, names)
    return max(_apart(_array(found[name]), expected[name]) for name in names)


def _double(module: OnnxModule, source: str, sample: Sample) -> tuple[float, float]:
    """Differentiate the sample's weighted sum by the source, wherever in the graph it is."""
    leaves: list[torch.Tensor] = []

    def leaf(value: torch.Tensor) -> torch.Tensor:
        leaves.append(value.detach().requires_grad_())
        return leaves[-1]

    feeds = {name: _tensor(value) for name, value in sample.feeds.items()}
    found = module.run(feeds, list(sample.weights), replace={source: leaf})
    first = next(iter(sample.weights))
    value = np.nan if sample.answer is None else _apart(found[first].detach().numpy(), sample.answer)
    total = sum((torch.from_numpy(w) * found[name]).sum() for name, w in sample.weights.items())
    if not isinstance(total, torch.Tensor) or not total.requires_grad or sample.gradient is None:
        return value, np.inf
    return value, _apart(torch.autograd.grad(total, leaves[0])[0].numpy(), sample.gradient)


def _tensor(value: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(value))


def _array(value: Any) -> Any:
    return value.numpy() if isinstance(value, torch.Tensor) else value


def _apart(found: Any, expected: Any) -> float:
    """Return the largest difference as a share of the largest magnitude; anything unlike is infinitely far."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape or found.dtype.kind != expected.dtype.kind:
        return np.inf
    if expected.dtype.kind not in "fc":
        return 0.0 if (found == expected).all() else np.inf
    scale = np.abs(expected).max(initial=0.0)
    if not np.isfinite(found).all() or not scale > 0:
        return np.inf
    return float(np.abs(found.astype(np.float64) - expected).max() / scale)

"""From a torch module to an artefact: weights as if trained, an export, the original's gradients in float64."""

import io
import logging
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnx
import torch
from architectures import ARCHITECTURES, Architecture
from architectures import architecture as built
from artefact import Array, Artefact, Sample
from torch import Tensor, nn

Exporter = Literal["dynamo", "legacy"]
BATCHES = (2, 3)
SOURCES = ("originals.py", "architectures.py", "convnets.py", "networks.py")
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def trained(architecture: Architecture) -> nn.Module:
    """Move every constant parameter away from its constant, and let batch norms see data."""
    module = architecture.module
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() > 1 and not parameter.std() > 0:
                parameter += 0.1 * torch.randn_like(parameter)
            elif parameter.numel() == 1:
                parameter += 0.1
        norms = [layer for layer in module.eval().modules() if isinstance(layer, _NORMS)]
        for layer in norms:
            layer.train()
            layer.momentum = None
        for _ in range(2 if norms else 0):
            module(*architecture.inputs(4).values())
    return module.eval().requires_grad_(False)


def artefact(name: str, exporter: Exporter) -> Artefact:
    """Export one architecture; an exporter that gives up is an artefact without a model."""
    torch.manual_seed(0)
    architecture = built(name)
    trained(architecture)
    batches = [architecture.inputs(size) for size in BATCHES]
    try:
        model, note = exported(architecture, batches[0], exporter)
    except Exception as error:
        return Artefact(exporter, None, note=f"{type(error).__name__}: {' '.join(str(error).split())}"[:160])
    source = embedded(model, architecture) if architecture.embedding else next(iter(batches[0]))
    batches = batches[:1] if note else batches
    note = "; ".join(filter(None, (architecture.standing_for, note)))
    return Artefact(
        exporter, model, source, tuple(answered(architecture, model, batch) for batch in batches), note=note
    )


def exported(architecture: Architecture, inputs: dict[str, Tensor], exporter: Exporter) -> tuple[onnx.ModelProto, str]:
    """Export with a free batch axis, or say that the exporter fixed it."""
    try:
        return export(architecture.module, inputs, exporter), ""
    except Exception:
        if exporter == "legacy":
            raise
        return export(architecture.module, inputs, exporter, free=False), "batch fixed by the exporter"


def export(
    module: nn.Module, inputs: Mapping[str, Tensor], exporter: Exporter, free: bool = True, **options: Any
) -> onnx.ModelProto:
    """Run one of torch's two exporters."""
    axes: dict[str, Any] = {
        "dynamic_axes": {name: {0: "batch"} for name in inputs},
        "dynamo": False,
        "opset_version": 17,
    }
    if exporter == "dynamo":
        shapes = tuple({0: torch.export.Dim("batch")} if free else None for _ in inputs)
        # A module with *args takes its shapes as one tuple.
        star = any(p.kind is p.VAR_POSITIONAL for p in _parameters(module))
        axes = {"dynamic_shapes": (shapes,) if star else shapes, "dynamo": True, "verbose": False}
    logging.disable(logging.WARNING)
    torch.backends.mha.set_fastpath_enabled(False)  # a fused operator that the legacy exporter does not know
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own deprecations and tracing notes
        arguments = (module, tuple(inputs.values()), None if exporter == "dynamo" else stream)
        program = torch.onnx.export(*arguments, input_names=list(inputs), **axes, **options)
    return program.model_proto if exporter == "dynamo" else onnx.load_from_string(stream.getvalue())


def _parameters(module: nn.Module) -> Any:
    import inspect

    return inspect.signature(module.forward).parameters.values()


def embedded(model: onnx.ModelProto, architecture: Architecture) -> str:
    """Find the tensor that the token embedding writes: the Gather from the table of that shape by the ids."""
    table = architecture.module.get_submodule(architecture.embedding).weight
    tables = {t.name for t in model.graph.initializer if tuple(t.dims) == tuple(table.shape)}
    copies = {n.output[0] for n in model.graph.node if n.op_type == "Identity" and n.input[0] in tables}
    found = [n.output[0] for n in model.graph.node if n.op_type == "Gather" and n.input[0] in tables | copies]
    if len(found) != 1:
        raise ValueError(f"{len(found)} lookups in a table of shape {tuple(table.shape)}; one was expected")
    return found[0]


def answered(architecture: Architecture, model: onnx.ModelProto, inputs: dict[str, Tensor]) -> Sample:
    """Ask the original in float64 for its answers and the gradient of a random weighting of them."""
    module = architecture.module.double()
    wide = [x.double() if x.is_floating_point() else x for x in inputs.values()]
    leaves: list[Tensor] = []

    def leaf(*arguments: Any) -> Tensor:
        leaves.append(arguments[-1].detach().requires_grad_())
        return leaves[-1]

    if architecture.embedding:
        handle = module.get_submodule(architecture.embedding).register_forward_hook(leaf)
    else:
        wide[0] = leaf(wide[0])
        handle = None
    outputs = module(*wide)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    if handle is not None:
        handle.remove()
    weights = weighting([y.detach().numpy() for y in outputs])
    total = sum(((torch.from_numpy(w) * y).sum() for w, y in zip(weights, outputs, strict=True)), torch.zeros(()))
    gradient = torch.autograd.grad(total, leaves[0])[0].numpy()
    module.float()
    names = [value.name for value in model.graph.output]
    feeds = {name: value.numpy() for name, value in inputs.items()}
    return Sample(feeds, dict(zip(names, weights, strict=True)), gradient, outputs[0].detach().numpy())


def weighting(outputs: list[Array]) -> list[Array]:
    """Draw weights that make the outputs one number."""
    rng = np.random.default_rng(1)
    return [rng.standard_normal(value.shape) for value in outputs]


def cases() -> dict[str, Any]:
    """List every architecture under both exporters."""
    pairs = [(name, exporter) for name in ARCHITECTURES for exporter in ("dynamo", "legacy")]
    return {f"{name} {exporter}": (lambda n=name, e=exporter: artefact(n, e)) for name, exporter in pairs}

"""What is shipped instead of an exporter's file: optimised, fused, quantised and half-precision models."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import networks
import onnx
import onnxruntime
import originals
import torch
from architectures import Architecture
from artefact import Array, Artefact, Sample
from torch import nn
from unpacked import relaxed, unpacked

from agnostic.converters.torch_import import to_torch

SOURCES = ("deployed.py", "unpacked.py", *originals.SOURCES)
_NETS: dict[str, Callable[[], nn.Module]] = {"cnn": networks.Residual, "cnn2": networks.Plain, "vit": networks.Tokens}
Variant = Callable[[str], Artefact]


def cases() -> dict[str, Callable[[], Artefact]]:
    """List the variants of the small CNN and ViT, and transformers' own after onnxruntime's fusions."""
    every: dict[str, tuple[Variant, Iterable[str]]] = {
        "basic": (lambda net: optimised(net, "BASIC"), ("cnn", "vit")),
        "extended": (lambda net: optimised(net, "EXTENDED"), ("cnn", "vit")),
        "float16": (halved, ("cnn", "vit")),
        "QDQ": (lambda net: quantised(net, "QDQ"), _NETS),
        "QOperator": (lambda net: quantised(net, "QOperator"), _NETS),
        "QDQ exact": (refused, ("cnn",)),
        "fused": (fused, ("hf_bert", "hf_vit", "hf_gpt2")),
    }
    return {f"{net} {kind}": (lambda m=make, n=net: m(n)) for kind, (make, nets) in every.items() for net in nets}


def original(net: str) -> Architecture:
    """Make one of the small nets for pictures of 16 by 16."""
    torch.manual_seed(0)
    architecture = Architecture(_NETS[net](), lambda n: {"x": torch.randn(n, 3, 16, 16)})
    originals.trained(architecture)
    return architecture


def optimised(net: str, level: str) -> Artefact:
    """Save what onnxruntime makes of the export at one of its levels."""
    architecture = original(net)
    inputs = [architecture.inputs(size) for size in originals.BATCHES]
    model = _optimised(originals.export(architecture.module, inputs[0], "legacy"), level)
    samples = tuple(originals.answered(architecture, model, batch) for batch in inputs)
    return Artefact(f"legacy, onnxruntime {level}", model, "x", samples, note=_fusions(model))


def halved(net: str) -> Artefact:
    """Convert the export to float16; the original is given the same rounded weights."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    architecture = original(net)
    _fold_norms(architecture.module)
    architecture.module.half().float()
    inputs = [architecture.inputs(size) for size in originals.BATCHES]
    model = convert_float_to_float16(originals.export(architecture.module, inputs[0], "dynamo"), keep_io_types=True)
    samples = tuple(originals.answered(architecture, model, batch) for batch in inputs)
    return Artefact(
        "dynamo, float16", model, "x", samples, tolerance=1e-3, note="answers are float16: one step of them is 5e-4"
    )


def _fold_norms(module: nn.Module) -> None:
    """Fold batch norms into convolutions, as the exporter will, before weights are rounded."""
    for chain in [layer for layer in module.modules() if isinstance(layer, nn.Sequential)]:
        for index in range(1, len(chain)):
            if isinstance(chain[index], nn.BatchNorm2d):
                chain[index - 1] = nn.utils.fuse_conv_bn_eval(chain[index - 1], chain[index])
                chain[index] = nn.Identity()


def fused(name: str) -> Artefact:
    """Fuse an export of transformers as onnxruntime's own tool for such models does."""
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    plain = originals.artefact(name, "legacy")
    kind = name.removeprefix("hf_")
    options = FusionOptions(kind)
    options.enable_embed_layer_norm = False  # it would swallow the embedding, the tensor that is asked about
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(plain.model, f"{folder}/model.onnx")
        fusing = optimize_model(f"{folder}/model.onnx", kind, 4, 32, options, opt_level=0)
        fusing.save_model_to_file(f"{folder}/fused.onnx")
        model = onnx.load(f"{folder}/fused.onnx")
    return plain._replace(exporter="legacy, onnxruntime.transformers", model=model, note=_fusions(model))


def quantised(net: str, form: str) -> Artefact:
    """Quantise with calibration; the straight-through gradient is held to that of the relaxed graph."""
    architecture = original(net)
    inputs = [{"x": architecture.inputs(size)["x"].numpy()} for size in originals.BATCHES]
    exported = originals.export(architecture.module, {"x": torch.from_numpy(inputs[0]["x"])}, "legacy")
    model = statically(exported, form, inputs)
    samples = tuple(_sample(model, feeds) for feeds in inputs)
    return Artefact(f"legacy, quantize_static {form}", model, "x", samples, straight=True, note=_fusions(model))


def refused(net: str) -> Artefact:
    """Ask a quantised model for its exact gradient, which is zero."""
    return quantised(net, "QDQ")._replace(straight=False, due="refusal")


def statically(model: onnx.ModelProto, form: str, data: list[dict[str, Array]]) -> onnx.ModelProto:
    """Quantise activations to 8 bits, weights to 7: beyond, onnxruntime's kernels saturate on some CPUs."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows = iter(data)

        def get_next(self) -> Any:
            return next(self.rows, None)

    with tempfile.TemporaryDirectory() as folder:
        before, after = f"{folder}/float.onnx", f"{folder}/quantised.onnx"
        onnx.save(model, before)
        quantize_static(
            before, after, Reader(), quant_format=QuantFormat[form], reduce_range=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        return onnx.load(after)


def _sample(model: onnx.ModelProto, feeds: dict[str, Array]) -> Sample:
    names = [value.name for value in model.graph.output]
    point = torch.from_numpy(feeds["x"]).double().requires_grad_()
    found = to_torch(relaxed(unpacked(model), feeds), dtype=torch.float64)(point)
    weights = originals.weighting([found.detach().numpy()])
    gradient = torch.autograd.grad((torch.from_numpy(weights[0]) * found).sum(), point)[0].numpy()
    return Sample(feeds, dict(zip(names, weights, strict=True)), gradient)


def _optimised(model: onnx.ModelProto, level: str) -> onnx.ModelProto:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _fusions(model: onnx.ModelProto) -> str:
    """Name the operators that only such tools write."""
    unusual = {
        n.op_type
        for n in model.graph.node
        if n.domain not in ("", "ai.onnx") or "Quant" in n.op_type or "QLinear" in n.op_type
    }
    return ", ".join(sorted(unusual))

"""PyTorch to ONNX: modules, exported programs (`.pt2`) and TorchScript.

A module is exported by torch's own exporter with a free batch axis; where its code does not allow one, with a batch of
one that is freed in the graph, or by tracing. Tensors are named after the module that makes them.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import onnx

from agnostic.converters import tidy, torch_files, torch_names
from agnostic.converters.conversion import (
    Array,
    Converted,
    Feeds,
    Request,
    by_rows,
    matched,
    needs_example,
)
from agnostic.errors import ConversionError

# The tracing exporter is asked for a version that it writes without a detour.
_TRACED_OPSET = 17


def convert(source: Any, request: Request) -> Converted:
    """Convert an `nn.Module`, an `ExportedProgram`, a `ScriptModule`, or the file of one of the last two.

    Raises:
        ConversionError: the file would run code or is broken; torch cannot export the module; an example is missing.
    """
    import torch

    if isinstance(source, Path):
        source = _opened(source)
    if isinstance(source, torch.export.ExportedProgram):
        return _from_program(source, request)
    names = _input_names(source)
    inputs = _inputs(source, request, names)
    with _evaluating(source):
        proto = _exported(source, inputs, request)
    return _converted(proto, source, list(inputs.values()))


def _opened(path: Path) -> Any:
    from agnostic.converters.sources import members

    is_program = any("/models/" in name and name.endswith(".json") for name in members(path))
    return torch_files.open_program(path) if is_program else torch_files.open_script(path)


def _from_program(program: Any, request: Request) -> Converted:
    import torch

    args, kwargs = program.example_inputs or ((), {})
    examples = [leaf.detach() for leaf in torch.utils._pytree.tree_leaves((args, kwargs)) if hasattr(leaf, "detach")]
    proto = _written(program, request.opset)
    module = program.module(check_guards=False) if "check_guards" in signature(program.module).parameters else (
        program.module()
    )  # fmt: skip
    inputs = [value.name for value in proto.graph.input]
    given = matched(request, inputs) if request.example else {}
    examples = [_tensor(given[name]) if name in given else each for name, each in zip(inputs, examples, strict=False)]

    def ask(*tensors: Any) -> Any:
        leaves = iter(tensors)
        return module(*(next(leaves) for _ in args), **{name: next(leaves) for name in kwargs})

    return _converted(proto, ask, examples, fixed=True)


def _converted(
    proto: onnx.ModelProto, source: Callable[..., Any], examples: list[Any], fixed: bool = False
) -> Converted:
    """Close a conversion: the exporter's graph made readable, and a way to ask the module."""
    traced = any(node.output and node.output[0].startswith("/") for node in proto.graph.node)
    names = tidy.slashed(proto) if traced else torch_names.by_scope(proto)
    declared = [value.type.tensor_type.shape.dim[:1] for value in proto.graph.input]
    static = any(dim and dim[0].HasField("dim_value") for dim in declared)
    outputs = _output_names(source, examples, len(proto.graph.output))
    proto = tidy.tidy(proto, {**tidy.ends(proto, (), outputs), **names})
    inputs = [value.name for value in proto.graph.input]

    def answer(feeds: Feeds) -> dict[str, Array]:
        leaves = _leaves(_asked(source, [_tensor(feeds[name]) for name in inputs]))
        return {name: leaf.detach().cpu().numpy() for name, leaf in zip(outputs, leaves.values(), strict=True)}

    likeness = {name: each.detach().cpu().numpy() for name, each in zip(inputs, examples, strict=True)}
    notes = ("the exporter fixed the batch axis at its example's size",) if _still_fixed(proto) else ()
    # A program with a batch of one answers one row at a time, also where its graph could be freed.
    return Converted(proto, by_rows(answer) if fixed and static else answer, likeness=likeness, notes=notes)


def _still_fixed(proto: onnx.ModelProto) -> bool:
    dims = [value.type.tensor_type.shape.dim[:1] for value in proto.graph.input]
    return any(dim and dim[0].HasField("dim_value") for dim in dims)


def _exported(module: Any, inputs: Mapping[str, Any], request: Request) -> onnx.ModelProto:
    """Try the exporter with a free batch, then with a batch of one, then tracing; the first that works is taken."""
    import torch

    scripted = isinstance(module, torch.jit.ScriptModule)
    attempts: list[Callable[[], onnx.ModelProto]] = []
    if not scripted and find_spec("onnxscript") is not None:
        attempts += [
            lambda: _written(_program(module, inputs, free=True), request.opset),
            lambda: _written(_program(module, {name: x[:1] for name, x in inputs.items()}, free=False), request.opset),
        ]
    attempts.append(lambda: _traced(module, inputs, request.opset or _TRACED_OPSET))
    errors: list[Exception] = []
    for attempt in attempts:
        try:
            with _silence():
                return attempt()
        except Exception as error:
            errors.append(error)
    reason = " ".join(str(errors[0]).split())[:200]
    raise ConversionError(
        f"torch {torch.__version__} cannot export {type(module).__name__} ({type(errors[0]).__name__}: {reason}); give "
        "an example that it takes, or export it yourself with torch.onnx.export"
    ) from errors[0]


def _program(module: Any, inputs: Mapping[str, Any], free: bool) -> Any:
    import torch

    axes = _free_axes(inputs)
    shapes = tuple(dict.fromkeys(axes[name], torch.export.Dim.DYNAMIC) if free else None for name in inputs)
    if any(p.kind is Parameter.VAR_POSITIONAL for p in signature(module.forward).parameters.values()):
        shapes = (shapes,)  # type: ignore[assignment]
    with torch.no_grad():
        return torch.export.export(module, tuple(inputs.values()), dynamic_shapes=shapes)


def _free_axes(inputs: Mapping[str, Any]) -> dict[str, list[int]]:
    """The batch axis of each input, and the length of rows of tokens, and of masks that are as long."""
    tokens = {x.shape[1] for x in inputs.values() if x.ndim == 2 and not x.is_floating_point()}
    return {name: [0, 1] if x.ndim == 2 and x.shape[1] in tokens else [0] for name, x in inputs.items()}


def _written(program: Any, opset: int | None) -> onnx.ModelProto:
    import torch

    with _silence():
        written: Any = torch.onnx.export(program, (), None, dynamo=True, verbose=False, opset_version=opset)
    proto: onnx.ModelProto = written.model_proto
    return proto


def _traced(module: Any, inputs: Mapping[str, Any], opset: int) -> onnx.ModelProto:
    import torch

    names = list(inputs)
    stream: Any = io.BytesIO()  # the tracing exporter writes into an open file too
    axes = {name: dict(zip(free, ("batch", "length"), strict=False)) for name, free in _free_axes(inputs).items()}
    # A fused operator that this exporter does not know.
    torch.backends.mha.set_fastpath_enabled(False)
    torch.onnx.export(
        module, tuple(inputs.values()), stream, dynamo=False, input_names=names, dynamic_axes=axes, opset_version=opset
    )
    return onnx.load_from_string(stream.getvalue())


def _input_names(module: Any) -> list[str]:
    """Name the inputs as `forward` does."""
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        forward: Any = module.forward
        return [argument.name for argument in forward.schema.arguments[1:]]
    found = [p for p in signature(module.forward).parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
    if any(p.kind is Parameter.VAR_POSITIONAL for p in found):
        return [f"input_{place}" for place in range(16)]
    return [p.name for p in found]


def _inputs(module: Any, request: Request, names: Sequence[str]) -> dict[str, Any]:
    """Make example tensors of at least two rows: with one, the exporter would take the batch for a constant."""
    import torch

    if request.example:
        given = matched(request, names)
        tensors = {name: _tensor(given[name]) for name in names if name in given}
    elif request.shapes:
        tensors = {name: torch.randn(2, *shape) for name, shape in zip(names, request.shapes, strict=False)}
    else:
        raise needs_example(f"the module {type(module).__name__}")
    return {name: x if x.ndim == 0 or len(x) > 1 else x.repeat(2, *[1] * (x.ndim - 1)) for name, x in tensors.items()}


def _tensor(array: Array | Any) -> Any:
    import numpy as np
    import torch

    if isinstance(array, torch.Tensor):
        return array
    # Python's own numbers are 64 bits wide, models' weights 32.
    return torch.from_numpy(np.ascontiguousarray(array, np.float32 if array.dtype == np.float64 else None))


def _asked(source: Callable[..., Any], tensors: Sequence[Any]) -> Any:
    import torch

    device = next((p.device for p in source.parameters()), None) if isinstance(source, torch.nn.Module) else None
    with _evaluating(source), torch.no_grad():
        return source(*(x if device is None else x.to(device) for x in tensors))


def _output_names(source: Callable[..., Any], examples: Sequence[Any], count: int) -> list[str]:
    """Name the outputs: by the keys of a mapping, else `output`, or numbered."""
    keys = list(_leaves(_asked(source, examples)))
    return keys if len(keys) == count else [f"output_{place}" for place in range(count)]


def _leaves(answer: Any) -> dict[str, Any]:
    """Flatten what a module returns: tensors by the keys of mappings, or by place."""
    import torch

    if isinstance(answer, Mapping) and all(isinstance(value, torch.Tensor) for value in answer.values()):
        return {str(name): value for name, value in answer.items()}
    leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
    return {f"output_{place}" if len(leaves) > 1 else "output": leaf for place, leaf in enumerate(leaves)}


@contextmanager
def _evaluating(module: Any) -> Iterator[None]:
    """Switch dropout and batch statistics off, and back to what they were."""
    was = getattr(module, "training", False)
    if was:
        module.eval()
    try:
        yield
    finally:
        if was:
            module.train()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporters' own deprecations, tracing notes and progress to themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)

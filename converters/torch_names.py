"""Names for tensors of a graph that torch's exporter wrote: those of the modules that make them."""

import ast

from onnx import ModelProto, NodeProto

_SCOPES = "pkg.torch.onnx.name_scopes"


def by_scope(proto: ModelProto) -> dict[str, str]:
    """Propose names: a module's last tensor is called after the module, those before it after their operator too.

    In `stem.0/conv`, the module is `stem.0`. Tensors outside of any module keep the exporter's names.
    """
    ends = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    modules = {node.output[0]: module for node in proto.graph.node if node.output and (module := _module(node))}
    weights = {tensor.name: tensor.name for tensor in proto.graph.initializer}
    shared = _shared([*modules.values(), *(name for name in weights if "." in name)])
    modules = {tensor: module.removeprefix(shared) for tensor, module in modules.items()}
    last = {module: tensor for tensor, module in modules.items()}
    operators = {node.output[0]: node.op_type.lower() for node in proto.graph.node if node.output}
    named = {
        tensor: module if last[module] == tensor else f"{module}/{operators[tensor]}"
        for tensor, module in modules.items()
        if tensor not in ends
    }
    return named | {name: name.removeprefix(shared) for name in weights if name not in ends and shared}


def _shared(paths: list[str]) -> str:
    """Return the first part of all paths where it is the same: a module around the one that a person knows."""
    first = {path.partition(".")[0] for path in paths}
    return f"{first.pop()}." if len(first) == 1 and all("." in path for path in paths) else ""


def _module(node: NodeProto) -> str:
    """Return the path of the innermost module that a node belongs to; empty for the outermost."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), "")
    try:
        path = ast.literal_eval(scopes)
    except (ValueError, SyntaxError):
        return ""
    # The last entry is the operation itself.
    module = str(path[-2]) if isinstance(path, list) and len(path) > 1 else ""
    return "" if module.startswith("_empty_nn_module_stack") else module

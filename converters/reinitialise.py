"""Models with weights unlearned, one after another: an explanation of what was learned has to notice."""

from collections.abc import Iterable

import numpy as np
from onnx import ModelProto, numpy_helper

from agnostic.errors import unknown


def weights(proto: ModelProto) -> tuple[str, ...]:
    """List the weights that make up layers, in the order in which they are first used: those of two axes or more."""
    held = {item.name: item for item in proto.graph.initializer if len(item.dims) > 1}
    used = [name for node in proto.graph.node for name in node.input if name in held]
    kinds = {name: numpy_helper.to_array(held[name]).dtype for name in dict.fromkeys(used)}
    return tuple(name for name, kind in kinds.items() if np.issubdtype(kind, np.floating) or kind.itemsize == 1)


def shuffled(proto: ModelProto, names: Iterable[str], seed: int = 0) -> ModelProto:
    """Return the model with the numbers of some weights in random order: of the same size, and of no use.

    Args:
        proto: The model; it is not changed.
        names: Initialisers by name.
        seed: Of the order, which for each of them depends on its name as well and not on the others.

    Raises:
        UsageError: There is no such initialiser.
    """
    result = ModelProto()
    result.CopyFrom(proto)
    by_name = {item.name: item for item in result.graph.initializer}
    for name in names:
        if name not in by_name:
            raise unknown("initialiser", name, by_name)
        numbers = numpy_helper.to_array(by_name[name])
        rng = np.random.default_rng([seed, *name.encode()])
        mixed = rng.permutation(numbers.ravel()).reshape(numbers.shape)
        by_name[name].CopyFrom(numpy_helper.from_array(mixed, name))
    return result

"""Freeing the sides of the picture that a model eats: layers of convolutions take any, whatever the file declares."""

from collections.abc import Sequence

from onnx import ModelProto

from agnostic.converters.shapes import element_type


def free_sides(proto: ModelProto, name: str, axes: Sequence[int]) -> ModelProto:
    """Return the model with free sizes along some axes of an input; what it declares of other shapes is dropped.

    Whether it then runs at another size is for the runtime to say: constants of a Reshape may hold the old one.
    """
    result = ModelProto()
    result.CopyFrom(proto)
    for value in result.graph.input:
        if value.name == name:
            for axis in axes:
                value.type.tensor_type.shape.dim[axis].dim_param = f"side{axis}"
    del result.graph.value_info[:]
    for value in result.graph.output:
        if element_type(value):
            value.type.tensor_type.ClearField("shape")
    return result

"""A model and pictures small enough to build whole sites of in seconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

HOSTILE = "<img src=x onerror=alert(1)>"
UNSAFE = "../../r2</script>"


def net(first: str = "r1", second: str = "r2", *, units: int = 6, seed: int = 0) -> bytes:
    """Two convolutions with ReLUs, named as wished, and three classes; unit 0 of the first is dead."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.normal(scale=0.4, size=(units, 3, 3, 3)), "b1": rng.normal(scale=0.1, size=units),
        "w2": rng.normal(scale=0.4, size=(4, units, 3, 3)), "b2": rng.normal(scale=0.1, size=4),
        "w3": rng.normal(size=(4, 3)),
    }  # fmt: skip
    weights["w1"][0], weights["b1"][0] = 0, -1
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], [first]),
        helper.make_node("Conv", [first, "w2", "b2"], ["c2"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], [second]),
        helper.make_node("GlobalAveragePool", [second], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", ["n", 3, 24, 24]), ("y", ["n", 3]))
    ]
    tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key="agnostic.preprocess", value='{"size": [24, 24], "scale": 0.0039, "mean": [0.5]}')
    onnx.checker.check_model(model)
    return model.SerializeToString()


def pictures(folder: Path, names: Sequence[str] = ("a.png", "b.png", "c.png", "d.jpg")) -> Path:
    """Write pictures of smooth coloured noise."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        rng = np.random.default_rng(number)
        small = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((60, 50), Image.Resampling.BICUBIC).save(folder / name)
    return folder

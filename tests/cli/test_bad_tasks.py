"""Bad boxes, regions, references and declarations: one clear line, the right exit status, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agnostic import models

Run = Callable[..., tuple[int, str, str]]

DIGITS, BLANK = str(models.picture("two_digits")), "blank.png"
DETECTOR, SEGMENTER = "digits-detector", "digits-segmenter"
TABLE = [
    ("box out of range", [DETECTOR, DIGITS, "-t", "box:2"], 2, "finds 2 on 'two_digits.png', box:0 to box:1"),
    ("no boxes", [DETECTOR, BLANK], 4, "the model finds no box on 'blank.png'"),
    ("box of no class", [DETECTOR, DIGITS, "-t", "box:0/ten"], 2, "unknown class 'ten'"),
    ("class of a detector", [DETECTOR, DIGITS, "-t", "3"], 2, "name one of them as box:0"),
    ("box on a classifier", ["squeezenet", DIGITS, "-t", "box:0"], 2, "needs a model that answers with boxes"),
    ("drise on a classifier", ["squeezenet", DIGITS, "-m", "drise"], 2, "drise explains one of several boxes"),
    ("drise on a region", [SEGMENTER, DIGITS, "-m", "drise"], 2, "drise explains one of several boxes"),
    ("rest of a box", [DETECTOR, DIGITS, "-t", "box:0 vs rest"], 2, "only one class of several has a rest"),
    ("layout that does not fit", ["misfit.onnx", BLANK], 2, "expected [n, anchors, 5 + classes]"),
    ("unknown layout", ["unknown.onnx", BLANK], 2, "expected one of yolov5, yolov8, rows, ssd, detr"),
    ("unknown key", ["key.onnx", BLANK], 2, "'treshold'; did you mean 'threshold'"),
    ("unknown kind", ["kind.onnx", BLANK], 2, "kind='box': expected one of classes"),
    ("unknown output", ["output.onnx", BLANK], 2, "unknown output 'outt'; did you mean 'out'"),
    ("answer that is no table", ["table.onnx", BLANK], 2, "expected a table of names and values"),
    ("gradient after NMS", ["nms.onnx", "bright.png", "-m", "saliency"], 2, "drise, rise, lime and occlusion"),
    ("no boxes after NMS", ["nms.onnx", BLANK], 4, "the model finds no box"),
    ("class absent", [SEGMENTER, DIGITS, "-t", "digit 7@mask"], 4, "sees no 'digit 7' on 'two_digits.png'"),
    ("place outside", [SEGMENTER, DIGITS, "-t", "digit 3@56,0"], 2, "the answer has 56 rows and 56 columns"),
    ("share outside", [SEGMENTER, DIGITS, "-t", "digit 3@150%,0%"], 2, "at most 100%"),
    ("missing mask", [SEGMENTER, DIGITS, "-t", "digit 3@none.png"], 4, "none.png: no such file"),
    ("mask that is a text", [SEGMENTER, DIGITS, "-t", "digit 3@text.png"], 4, "text.png: not a picture"),
    ("wide mask", [SEGMENTER, DIGITS, "-t", "digit 3@wide.png"], 2, "is 20 x 30; expected rows x columns of 56 x 56"),
    ("empty mask", [SEGMENTER, DIGITS, "-t", "digit 3@empty.png"], 2, "empty.png: the mask is empty"),
    ("unknown class", [SEGMENTER, DIGITS, "-t", "digit 11@mask"], 2, "unknown class 'digit 11'"),
    ("nothing but ground", [SEGMENTER, BLANK], 4, "nothing but ground on 'blank.png'"),
    ("region on a classifier", ["squeezenet", DIGITS, "-t", "tabby@mask"], 2, "a class at every place"),
    ("missing reference", ["embedding.onnx", "bright.png", "-t", "like:none.png"], 4, "none.png: no such file"),
    ("reference that is a text", ["embedding.onnx", "bright.png", "-t", "like:text.png"], 4, "text.png: not a picture"),
    ("no reference", ["embedding.onnx", "bright.png"], 2, "say what to compare with, --target like:FILE"),
    ("likeness on a classifier", ["squeezenet", DIGITS, "-t", "like:blank.png"], 2, "answers with an embedding"),
    ("black reference", ["embedding.onnx", "bright.png", "-t", "like:black.png"], 4, "of 'black.png' is zero"),
    ("black input", ["embedding.onnx", "black.png", "-t", "like:bright.png"], 4, "of 'black.png' is zero"),
]  # fmt: skip
NMS = """
g (float[1,3,8,8] x) => (float[m,4] boxes, float[m] scores, int64[m] labels) {
    grey = ReduceMean<axes=[1],keepdims=1>(x)
    mean = AveragePool<kernel_shape=[4,4],strides=[4,4]>(grey)
    all = Reshape(mean, flat)
    chosen = NonMaxSuppression(rows, all, most, overlap, least)
    at = Gather<axis=1>(chosen, two)
    sides = Reshape(rows, pairs)
    boxes = Gather(sides, at)
    line = Reshape(all, four)
    scores = Gather(line, at)
    labels = Mul(at, nought)
}
"""
WEIGHTS = {
    "flat": np.array([1, 1, 4]), "four": np.array([4]), "pairs": np.array([4, 4]), "two": np.int64(2),
    "nought": np.int64(0), "most": np.array([10]), "overlap": np.array([0.5], "f4"), "least": np.array([0.5], "f4"),
    "rows": np.array([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]], "f4")[None],
}  # fmt: skip
DECLARED = {
    "misfit": 'kind = "boxes"\nlayout = "yolov5"',
    "unknown": 'kind = "boxes"\nlayout = "yolov9000"',
    "key": 'kind = "boxes"\nlayout = "yolov8"\ntreshold = 0.5',
    "kind": 'kind = "box"',
    "output": 'kind = "embedding"\noutput = "outt"',
    "embedding": 'kind = "embedding"\noutput = "out"',
}


def dense() -> bytes:
    """A model on pictures of 8 x 8 that answers with [n, 5, 3]: as YOLOv8 would with one class and three anchors."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Mul", ["p", "w"], ["m"]),
        helper.make_node("Reshape", ["m", "s"], ["out"]),
    ]
    weights = {"w": np.ones((1, 3, 5, 1), np.float32), "s": np.array([0, 5, 3])}
    ends = [helper.make_tensor_value_info(*end) for end in (
        ("x", TensorProto.FLOAT, ["n", 3, 8, 8]), ("out", TensorProto.FLOAT, ["n", 5, 3])
    )]  # fmt: skip
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def nms() -> bytes:
    graph = onnx.parser.parse_graph(NMS)
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in WEIGHTS.items())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def tasks(place: Path) -> Path:
    """The folder of the user, with models that declare things, and pictures."""
    plain = "[preprocess]\nsize = [8, 8]\nmean = 0.0\nstd = 1.0\n"
    for name, answer in DECLARED.items():
        (place / f"{name}.onnx").write_bytes(dense())
        (place / f"{name}.agnostic.toml").write_text(f"{plain}[answer]\n{answer}\n")
    (place / "table.onnx").write_bytes(dense())
    (place / "table.agnostic.toml").write_text('answer = "boxes"\n')
    (place / "nms.onnx").write_bytes(nms())
    (place / "nms.agnostic.toml").write_text(plain)
    sheets = {"blank": np.full((8, 8), 20), "bright": np.full((8, 8), 250), "black": np.zeros((8, 8))}
    sheets |= {"wide": np.full((20, 30), 255), "empty": np.zeros((56, 56))}
    for name, sheet in sheets.items():
        Image.fromarray(sheet.astype(np.uint8)).save(place / f"{name}.png")
    return place


@pytest.mark.parametrize(("arguments", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_bad_tasks(tasks: Path, agnostic: Run, arguments: list[str], status: int, says: str) -> None:
    before = sorted(tasks.iterdir())
    method = [] if "-m" in arguments else ["-m", "occlusion"]
    found, out, err = agnostic("explain", *arguments, *method, "--quiet")
    assert found == status, err
    assert out == ""
    assert err.startswith("agnostic: ") and err.count("\n") == 1, err
    assert says in err
    assert "Traceback" not in err
    assert sorted(tasks.iterdir()) == before

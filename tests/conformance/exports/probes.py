"""Small graphs on which importers are known to fail, most of them without a word.

Values come from onnxruntime, gradients from central differences of onnxruntime or onnx.reference in float64.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from artefact import Array, Artefact, Sample
from onnx import TensorProto, helper, numpy_helper, parser

sys.path.insert(0, str(Path(__file__).parents[1]))
from oracle import doubled

SOURCES = ("probes.py", "../oracle.py")
_STEP = 1e-5
_X = "float[n, 3, 8, 8] x"

#: Graphs in ONNX's own text form; weights that they name are drawn at random in the shapes they declare.
_TEXTS = {
    "If": """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[n, 4] y) {
            zero = Constant <value_float = 0.0> ()  total = ReduceSum <keepdims = 0> (x)  up = Greater (total, zero)
            y = If (up) <then_branch = yes () => (float[n, 4] a) { a = Exp (x) },
                         else_branch = no () => (float[n, 4] b) { b = Mul (x, x) }>
        }""",
    "Loop": """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[n, 4] y, float[k, n, 4] all) {
            count = Constant <value = int64 {3}> ()  go = Constant <value = bool {1}> ()
            y, all = Loop (count, go, x) <
                body = b (int64 i, bool c, float[n, 4] s) => (bool d, float[n, 4] t, float[n, 4] u) {
                    d = Identity (c)  w = Tanh (s)  t = Add (w, x)  u = Sin (t) }>
        }""",
    "Scan": """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[4] y, float[n, 4] all) {
            s0 = Constant <value_floats = [0.1, 0.2, 0.3, 0.4]> ()
            y, all = Scan <num_scan_inputs = 1, body = b (float[4] s, float[4] v) => (float[4] t, float[4] u)
                { m = Mul (s, v)  t = Add (m, v)  u = Tanh (t) }> (s0, x)
        }""",
    "model-local function": """<ir_version: 10, opset_import: ["": 21, "mine": 1]>
        g (float[n, 4] x) => (float[n, 4] y) { a = mine.Twice <power = 3.0> (x)  y = mine.Twice <power = 2.0> (a) }
        <domain: "mine", opset_import: ["": 21]>
        Twice <power> (v) => (w) {
            p = Constant <value_float: float = @power> ()  s = Abs (v)  q = Pow (s, p)  w = Add (q, v) }""",
    "initialiser as output": """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[n, 4] y, float[4] w) <float[4] w> { y = Mul (x, w) }""",
    "Conv weight through Transpose": f"""<ir_version: 10, opset_import: ["": 21]>
        g ({_X}) => (float[n, 5, 6, 6] y) <float[3, 3, 3, 5] w> {{
            v = Transpose <perm = [3, 2, 0, 1]> (w)  y = Conv (x, v) }}""",
    "Conv weight computed from the input": f"""<ir_version: 10, opset_import: ["": 21]>
        g ({_X}) => (float[n, 5, 6, 6] y) <float[5, 3, 3, 3] w> {{
            m = ReduceMean <keepdims = 0> (x)  s = Sigmoid (m)  v = Mul (w, s)  y = Conv (x, v) }}""",
    "Resize cubic, a = -0.5": f"""<ir_version: 10, opset_import: ["": 19]>
        g ({_X}) => (float[n, 3, 13, 13] y) <float[0] r> {{
            z = Constant <value_floats = [1.0, 1.0, 1.7, 1.7]> ()
            y = Resize <mode = "cubic", cubic_coeff_a = -0.5,
                coordinate_transformation_mode = "half_pixel"> (x, r, z) }}""",
    "BatchNormalization of opset 8": f"""<ir_version: 4, opset_import: ["": 8]>
        g ({_X}) => (float[n, 3, 8, 8] y) <float[3] s, float[3] b, float[3] m, float[3] v> {{
            w = Abs (v)  y = BatchNormalization <epsilon = 0.01> (x, s, b, m, w) }}""",
    "opset 24": """<ir_version: 11, opset_import: ["": 24]>
        g (float[n, 4] x) => (float[n, 4] y) <float[4] w> {
            a = RMSNormalization (x, w)  y = Gelu <approximate = "tanh"> (a) }""",
    "Clip without its lower bound": """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[n, 4] y) <float h> { y = Clip (x, , h) }""",
    "outputs (b, a) of one Split": """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[n, 2] b, float[n, 2] a) {
            s = Sin (x)  a, b = Split <axis = 1, num_outputs = 2> (s) }""",
}  # fmt: skip


def cases() -> dict[str, Callable[[], Artefact]]:
    """List the probes."""
    texts = {name: (lambda t=text, n=name: _probe(_parsed(t), n)) for name, text in _TEXTS.items()}
    built = {"w.a and w_a": _alike, "QDQ on an activation": _activation, "QDQ on an activation, exact": _exact}
    return {**texts, **built}


def _parsed(text: str) -> onnx.ModelProto:
    """Read the text; every tensor that it declares beside the inputs becomes a random weight."""
    model = parser.parse_model(text)
    rng = np.random.default_rng(3)
    for value in model.graph.value_info:
        values = rng.standard_normal(_shape(value)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.float32), value.name))
    del model.graph.value_info[:]
    return model


def _probe(model: onnx.ModelProto, name: str) -> Artefact:
    onnx.checker.check_model(model)
    shape = _shape(model.graph.input[0])[1:]
    rng = np.random.default_rng(len(name))
    feeds = [{"x": rng.standard_normal((size, *shape)).astype(np.float32)} for size in (2, 3)]
    return Artefact("written by hand", model, "x", tuple(_sample(model, feed) for feed in feeds))


def _sample(model: onnx.ModelProto, feeds: dict[str, Array]) -> Sample:
    names = [value.name for value in model.graph.output]
    run = _runner(model)
    point = feeds["x"].astype(np.float64)
    base = run(point)
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal(value.shape) for value in base]
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        sides = []
        for step in (_STEP, -_STEP):
            moved = point.copy()
            moved[index] += step
            sides.append(sum(float((w * y).sum()) for w, y in zip(weights, run(moved), strict=True)))
        gradient[index] = (sides[0] - sides[1]) / (2 * _STEP)
    return Sample(feeds, dict(zip(names, weights, strict=True)), gradient, base[0])


def _runner(model: onnx.ModelProto) -> Callable[[Array], Sequence[Array]]:
    """Run the float64 copy in onnxruntime, or in onnx.reference where that has no float64 kernel."""
    import onnxruntime
    from onnx.reference import ReferenceEvaluator

    wide = doubled(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(wide.SerializeToString(), options, providers=["CPUExecutionProvider"])
        session.run(None, {"x": np.ones((1, *_shape(model.graph.input[0])[1:]))})
    except Exception:
        session = ReferenceEvaluator(wide)
    return lambda x: session.run(None, {"x": x})


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _alike() -> Artefact:
    """Two initialisers whose names differ in a character that module systems replace."""
    model = _parsed(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[n, 4] x) => (float[n, 4] y) <float[4] u, float[4] w_a> {
            a = Mul (x, u)  s = Sin (a)  y = Mul (s, w_a) }"""
    )
    model.graph.initializer[0].name = model.graph.node[0].input[1] = "w.a"
    return _probe(model, "w.a and w_a")


def _activation() -> Artefact:
    """A rounding in the middle: its straight-through gradient is that of the graph without it."""
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["a"]),
        helper.make_node("QuantizeLinear", ["a", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("Mul", ["d", "v"], ["y"]),
    ]
    constants = {"w": [1.0, 2.0, -1.0, 0.5], "v": [3.0, -2.0, 1.0, 4.0], "s": 0.1}
    stored = [numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in constants.items()]
    stored.append(numpy_helper.from_array(np.uint8(128), "z"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    rng = np.random.default_rng(0)
    slope = np.asarray(constants["w"]) * np.asarray(constants["v"])
    samples = []
    for size in (2, 3):
        weights = rng.standard_normal((size, 4))
        feeds = {"x": rng.standard_normal((size, 4)).astype(np.float32)}
        samples.append(Sample(feeds, {"y": weights}, weights * slope))
    return Artefact("written by hand", model, "x", tuple(samples), straight=True)


def _exact() -> Artefact:
    return _activation()._replace(straight=False, due="refusal")

import numpy as np
import onnxruntime
import pytest

from agnostic.converters.sizes import free_sides


def run(proto, name, value):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], {"x": value})[0]


def test_a_convolution_then_runs_at_any_size_and_gives_the_same_at_its_own(build, rng):
    proto = build("net (float[1,3,8,8] x) => (float[1,2,6,6] y) { y = Conv(x, w) }", w=(2, 3, 3, 3))
    free = free_sides(proto, "x", (2, 3))
    own, other = (rng.normal(size=(1, 3, *size)).astype(np.float32) for size in ((8, 8), (5, 11)))
    np.testing.assert_array_equal(run(free, "y", own), run(proto, "y", own))
    assert run(free, "y", other).shape == (1, 2, 3, 9)
    with pytest.raises(Exception, match="Got: 5 Expected: 8"):
        run(proto, "y", other)


def test_the_model_given_stays_as_it_was(build):
    proto = build("net (float[1,3,8,8] x) => (float[1,2,6,6] y) { y = Conv(x, w) }", w=(2, 3, 3, 3))
    before = proto.SerializeToString()
    free = free_sides(proto, "x", (2, 3))
    assert proto.SerializeToString() == before
    dims = free.graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value or dim.dim_param for dim in dims] == [1, 3, "side2", "side3"]

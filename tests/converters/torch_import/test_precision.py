import ml_dtypes
import numpy as np
import pytest
import torch
from onnx import TensorProto, numpy_helper

from agnostic.converters.torch_import.precision import Precision
from agnostic.errors import ConversionError

T = TensorProto
DECLARED, DOUBLE = Precision(), Precision(torch.float64)


def test_a_floating_type_replaces_every_float_and_nothing_else() -> None:
    assert DECLARED.computed(T.FLOAT16) is torch.float32
    assert DECLARED.declared(T.FLOAT16) is torch.float16
    assert {DOUBLE.computed(t) for t in (T.FLOAT, T.DOUBLE, T.FLOAT16, T.BFLOAT16)} == {torch.float64}
    assert DOUBLE.computed(T.COMPLEX64) is torch.complex128
    assert DOUBLE.computed(T.INT8) is torch.int8


def test_strings_have_no_number_type() -> None:
    with pytest.raises(ConversionError, match="type STRING cannot be computed"):
        DECLARED.computed(T.STRING)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4, ml_dtypes.uint4])
def test_narrow_constants_keep_their_values(dtype: type) -> None:
    array = np.array([0, 1, 2, 7]).astype(dtype)
    assert DECLARED.load(numpy_helper.from_array(array)).tolist() == [0, 1, 2, 7]


def test_rounding_to_bytes_saturates_and_to_halves_is_differentiable() -> None:
    x = torch.tensor([0.1, 1e6], requires_grad=True)
    assert DECLARED.rounded(x, T.FLOAT8E4M3FN).tolist() == [0.1015625, 448]
    assert DECLARED.rounded(x, T.FLOAT16)[1].isinf()
    assert DECLARED.rounded(x, T.FLOAT16).requires_grad
    assert DOUBLE.rounded(x, T.FLOAT16)[0].item() == x[0].double().item()


def test_small_integers_wrap_around() -> None:
    x = torch.tensor([7, 8, 15, 16, -1])
    assert DECLARED.integer(x, T.INT4).tolist() == [7, -8, -1, 0, -1]
    assert DECLARED.integer(x, T.UINT4).tolist() == [7, 8, 15, 0, 15]
    assert DECLARED.integer(torch.tensor([-1.5, 300.0]), T.UINT8).tolist() == [255, 44]

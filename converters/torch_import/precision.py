"""In which torch type an ONNX element type is computed.

16-bit floats are computed in float32, as CPUs do them badly; 8- and 4-bit types are kept in the next type torch can
compute with. Asking for a floating type computes *every* float of the model in it, casts inside the graph included.
"""

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import torch
from onnx import TensorProto, numpy_helper

from agnostic.errors import ConversionError

T = TensorProto

_COMPUTED: dict[int, torch.dtype] = {
    T.FLOAT: torch.float32,
    T.DOUBLE: torch.float64,
    T.FLOAT16: torch.float32,
    T.BFLOAT16: torch.float32,
    T.FLOAT8E4M3FN: torch.float32,
    T.FLOAT8E4M3FNUZ: torch.float32,
    T.FLOAT8E5M2: torch.float32,
    T.FLOAT8E5M2FNUZ: torch.float32,
    T.FLOAT4E2M1: torch.float32,
    T.COMPLEX64: torch.complex64,
    T.COMPLEX128: torch.complex128,
    T.BOOL: torch.bool,
    T.INT8: torch.int8,
    T.INT16: torch.int16,
    T.INT32: torch.int32,
    T.INT64: torch.int64,
    T.UINT8: torch.uint8,
    T.UINT16: torch.uint16,
    T.UINT32: torch.uint32,
    T.UINT64: torch.uint64,
    T.INT4: torch.int8,
    T.UINT4: torch.uint8,
}
_HALF: dict[int, torch.dtype] = {T.FLOAT16: torch.float16, T.BFLOAT16: torch.bfloat16}
# Types that are only stored: how they round, and the largest value that they hold.
_NARROW: dict[int, tuple[Any, float]] = {
    T.FLOAT8E4M3FN: (ml_dtypes.float8_e4m3fn, 448.0),
    T.FLOAT8E4M3FNUZ: (ml_dtypes.float8_e4m3fnuz, 240.0),
    T.FLOAT8E5M2: (ml_dtypes.float8_e5m2, 57344.0),
    T.FLOAT8E5M2FNUZ: (ml_dtypes.float8_e5m2fnuz, 57344.0),
    T.FLOAT4E2M1: (ml_dtypes.float4_e2m1fn, 6.0),
}
# Integers of less than a byte, with their bits.
_BITS: dict[int, int] = {T.INT4: 4, T.UINT4: 4}
if hasattr(T, "INT2"):  # younger than the oldest onnx that works
    _COMPUTED |= {T.INT2: torch.int8, T.UINT2: torch.uint8}
    _BITS |= {T.INT2: 2, T.UINT2: 2}
_COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}

#: Types that torch stores but hardly computes with.
WIDE_UNSIGNED = frozenset({torch.uint16, torch.uint32, torch.uint64})


class Precision(NamedTuple):
    """The floating type asked for, or None for the types the model declares."""

    floating: torch.dtype | None = None

    def computed(self, element_type: int) -> torch.dtype:
        """Return the torch type in which values of an ONNX element type are held and computed."""
        dtype = _COMPUTED.get(element_type)
        if dtype is None:
            kind = T.DataType.Name(element_type) if element_type in T.DataType.values() else element_type
            raise ConversionError(f"tensors of type {kind} cannot be computed in torch; use a float or integer model")
        if self.floating is None:
            return dtype
        if dtype.is_floating_point:
            return self.floating
        return _COMPLEX[self.floating] if dtype.is_complex else dtype

    def declared(self, element_type: int) -> torch.dtype:
        """Return the type a model's output is handed back in: as declared, unless a floating type was asked for."""
        if self.floating is None and element_type in _HALF:
            return _HALF[element_type]
        return self.computed(element_type)

    def rounded(self, value: torch.Tensor, element_type: int, saturate: bool = True) -> torch.Tensor:
        """Round to a float type as a Cast in the model does, and return to the type of computation.

        Types of a byte and less have no gradient; 16-bit ones pass it on, and are not rounded to where a floating type
        was asked for.
        """
        computed = self.computed(element_type)
        if element_type in _NARROW:
            narrow, largest = _NARROW[element_type]
            array = value.detach().cpu().numpy()
            array = np.clip(array, -largest, largest) if saturate else array
            with np.errstate(invalid="ignore", over="ignore"):
                return torch.from_numpy(array.astype(narrow).astype(np.float32)).to(value.device, computed)
        if element_type in _HALF and self.floating is None:
            return value.to(_HALF[element_type]).to(computed)
        return value.to(computed)

    def integer(self, value: torch.Tensor, element_type: int) -> torch.Tensor:
        """Convert to an integer type as a Cast does: towards zero, wrapping around at the type's width."""
        dtype = self.computed(element_type)
        bits = _BITS.get(element_type)
        if value.is_floating_point() and (bits or not dtype.is_signed):
            value = value.to(torch.int64)  # float to unsigned is undefined below zero; wrap as everybody does
        if bits is None:
            return value.to(dtype)
        low = value.to(torch.int64) & ((1 << bits) - 1)
        half = 1 << (bits - 1)
        return ((low ^ half) - half if dtype.is_signed else low).to(dtype)

    def load(self, tensor: TensorProto) -> Any:
        """Read a stored tensor; strings become a numpy array of objects."""
        array = numpy_helper.to_array(tensor)
        if tensor.data_type == T.STRING:
            return np.array([s.decode() if isinstance(s, bytes) else s for s in array.flat], object).reshape(
                array.shape
            )
        return self.of(array, tensor.data_type)

    def of(self, array: Any, element_type: int) -> torch.Tensor:
        """Copy a numpy array of an ONNX element type into a tensor of the type it is computed in."""
        dtype = self.computed(element_type)
        plain = array if array.dtype.kind in "biufc" and array.dtype.isbuiltin == 1 else array.astype(np.float32)
        return torch.from_numpy(np.array(plain, order="C")).to(dtype)

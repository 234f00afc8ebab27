"""ONNX messages as what raygrad computes with: tensors as arrays, element types as dtypes, attributes.

Source: the schema of the format, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from raygrad.proto.errors import InvalidReferenceError, LimitError, TypeMismatchError
from raygrad.proto.limits import DEFAULT
from raygrad.proto.tensor import Array, DType, Size

from .operand import size_name

DTYPES: dict[int, DType] = {
    onnx.TensorProto.DOUBLE: DType.float64,
    onnx.TensorProto.FLOAT: DType.float32,
    onnx.TensorProto.FLOAT16: DType.float16,
    onnx.TensorProto.BFLOAT16: DType.bfloat16,
    onnx.TensorProto.INT64: DType.int64,
    onnx.TensorProto.INT32: DType.int32,
    onnx.TensorProto.INT16: DType.int16,
    onnx.TensorProto.INT8: DType.int8,
    onnx.TensorProto.UINT64: DType.uint64,
    onnx.TensorProto.UINT32: DType.uint32,
    onnx.TensorProto.UINT16: DType.uint16,
    onnx.TensorProto.UINT8: DType.uint8,
    onnx.TensorProto.BOOL: DType.bool,
}
ELEMENT_TYPES = {dtype: element for element, dtype in DTYPES.items()}


def dtype_of(element: int, what: str) -> DType:
    """The dtype of an ONNX element type; `TypeMismatchError`, naming `what` has it, for any other."""
    if element in DTYPES:
        return DTYPES[element]
    known = onnx.TensorProto.DataType.values()
    shown = onnx.TensorProto.DataType.Name(element) if element in known else element
    raise TypeMismatchError(f"{what} has element type {shown}; supported are {[d.value for d in DType]}")


def array_of(tensor: onnx.TensorProto) -> Array:
    """The array of a tensor whose data are in the message; its sizes are checked before it is read."""
    what = f"tensor {tensor.name!r}"
    dtype = dtype_of(tensor.data_type, what)
    check_sizes(tensor.dims, what)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise InvalidReferenceError(f"{what} is in another file, which was not read")
    try:
        array = numpy_helper.to_array(tensor)
    except (ValueError, TypeError) as exc:
        raise TypeMismatchError(f"{what} does not hold {tuple(tensor.dims)} {dtype!r}: {exc}") from exc
    return np.ascontiguousarray(array, dtype=dtype.numpy).reshape(array.shape)


def check_sizes(dims: Iterable[int], what: str) -> None:
    """`LimitError` for more axes or elements than a value may have, or a negative size."""
    sizes = tuple(dims)
    if len(sizes) > DEFAULT.rank:
        raise LimitError(f"{what} has {len(sizes)} axes; at most {DEFAULT.rank} are allowed")
    if min(sizes, default=0) < 0:
        raise LimitError(f"{what} has a negative size: {sizes}")
    if math.prod(s or 1 for s in sizes) > DEFAULT.elements:
        raise LimitError(f"{what} has sizes {sizes}; at most {DEFAULT.elements} elements are allowed")


def attribute_value(attribute: onnx.AttributeProto) -> Any:
    """The value of an attribute in Python: text as str, tensors as arrays, graphs as they are."""
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return array_of(value)
    if attribute.type == onnx.AttributeProto.STRING:
        return value.decode(errors="replace")
    if attribute.type == onnx.AttributeProto.STRINGS:
        return tuple(v.decode(errors="replace") for v in value)
    if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        return tuple(value)
    return value


def shape_of(info: onnx.ValueInfoProto) -> tuple[Size, ...]:
    """The sizes that a graph input declares: numbers, names, or names made of the input's and the axis."""
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value")
        raise TypeMismatchError(f"input {info.name!r} is a {kind}, and only tensors are supported")
    if not info.type.tensor_type.HasField("shape"):
        raise TypeMismatchError(f"input {info.name!r} declares no shape: give it in `shapes`")
    return tuple(
        _size(dim, f"{info.name}_{axis}") for axis, dim in enumerate(info.type.tensor_type.shape.dim)
    )


def _size(dim: onnx.TensorShapeProto.Dimension, otherwise: str) -> Size:
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    return size_name(dim.dim_param if dim.dim_param not in ("", "?") else otherwise)

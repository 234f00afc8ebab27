"""ATen operators that make tensors out of numbers. Shape and dtype are those that torch says."""

from __future__ import annotations

from typing import Any

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, Scalar, aten


@aten("full.default", "full_like.default")
def full(call: Call, _: Any, number: Scalar, **__: Any) -> Value:
    return call.full(number, call.shape, call.out.dtype)


@aten("new_full.default")
def new_full(call: Call, x: Value, _: Any, number: Scalar, **__: Any) -> Value:
    return call.full(number, call.shape, call.out.dtype)


@aten("scalar_tensor.default")
def scalar_tensor(call: Call, number: Scalar, **_: Any) -> Value:
    return call.full(number, (), call.out.dtype)


@aten(
    *("zeros.default", "zeros_like.default", "new_zeros.default", "new_empty.default"),
    *("empty.memory_format", "empty_like.default"),
)
def zeros(call: Call, *_: Any, **__: Any) -> Value:
    """What torch leaves empty is 0 here, so that results can be repeated."""
    return call.full(0, call.shape, call.out.dtype)


@aten("ones.default", "ones_like.default", "new_ones.default")
def ones(call: Call, *_: Any, **__: Any) -> Value:
    return call.full(1, call.shape, call.out.dtype)


@aten("fill.Scalar", "fill.Tensor")
def fill(call: Call, _: Value, number: Value | Scalar) -> Value:
    return call.full(number, call.shape, call.out.dtype)


@aten("arange.start_step")
def arange(call: Call, start: Scalar, end: Scalar, step: Scalar = 1, **_: Any) -> Value:
    """In int64 for integers, else in float64, like torch's own sum of places times step."""
    kind = DType.float64 if call.out.dtype.is_floating else DType.int64
    place = f.creation.places(call.builder, call.shape[0], kind)
    return (place * call.value(step, kind) + call.value(start, kind)).astype(call.out.dtype)


@aten("arange.default")
def arange_to(call: Call, end: Scalar, **_: Any) -> Value:
    return arange(call, 0, end)


@aten("arange.start")
def arange_from(call: Call, start: Scalar, end: Scalar, **_: Any) -> Value:
    return arange(call, start, end)


@aten("linspace.default")
def linspace(call: Call, start: float, end: float, count: int, **_: Any) -> Value:
    return f.linspace(call.builder, float(start), float(end), count, call.out.dtype)


@aten("eye.default", "eye.m")
def eye(call: Call, *_: Any, **__: Any) -> Value:
    rows, columns = call.shape
    return f.eye(call.builder, rows, columns, call.out.dtype)

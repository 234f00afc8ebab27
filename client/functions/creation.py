"""Values out of nothing: constants of any size, which need no document to hold them. Sizes may be names."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.operators.source import Iota
from raygrad.proto.tensor import INTEGERS, DType, Size
from raygrad.proto.value import Value

from .counts import whole
from .elementwise import where


def full(builder: Builder, shape: Sequence[Size], value: float, dtype: DType | str = DType.float32) -> Value:
    """The number `value`, everywhere; the dtype must hold it, fractions aside."""
    kind = DType.of(dtype)
    if not kind.holds(value):
        raise TypeMismatchError(f"{kind!r} cannot hold {value}")
    scalar = np.asarray(value).astype(kind.numpy)
    return builder.constant(scalar).broadcast_to(tuple(shape))


def zeros(builder: Builder, shape: Sequence[Size], dtype: DType | str = DType.float32) -> Value:
    """0 everywhere."""
    return full(builder, shape, 0, dtype)


def ones(builder: Builder, shape: Sequence[Size], dtype: DType | str = DType.float32) -> Value:
    """1 everywhere."""
    return full(builder, shape, 1, dtype)


def full_like(x: Value, value: float, dtype: DType | str | None = None) -> Value:
    """The number `value` in the shape of x, and in its dtype unless another is given."""
    return full(x.builder, x.shape, value, x.dtype if dtype is None else dtype)


def zeros_like(x: Value, dtype: DType | str | None = None) -> Value:
    """0 in the shape of x."""
    return full_like(x, 0, dtype)


def ones_like(x: Value, dtype: DType | str | None = None) -> Value:
    """1 in the shape of x."""
    return full_like(x, 1, dtype)


def places(builder: Builder, size: Size, dtype: DType | str = DType.int64) -> Value:
    """0, 1, …, size − 1, whose size may be a name."""
    return builder.add(Iota(size, DType.of(dtype)))[0]


def arange(
    builder: Builder,
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: DType | str | None = None,
) -> Value:
    """start, start + step, … before `stop`, as NumPy's: int64 or float32, unless told."""
    first, end = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise ConfigurationError("arange needs a step other than 0")
    integers = all(isinstance(n, INTEGERS) for n in (first, end, step))
    kind = DType.of(dtype) if dtype is not None else DType.int64 if integers else DType.float32
    if not all(map(math.isfinite, (first, end, step))):
        raise ConfigurationError(f"arange needs finite numbers, got {first}, {end} and {step}")
    count = whole(max((end - first) / step, 0), f"arange from {first} to {end} by {step}", upwards=True)
    exact = DType.int64 if integers else DType.float64
    index = places(builder, count, exact)
    return (index * step + first).astype(kind)


def linspace(
    builder: Builder, start: float, stop: float, count: int, dtype: DType | str = DType.float32
) -> Value:
    """`count` numbers from `start` to `stop`, both included, at equal distances."""
    if not (math.isfinite(start) and math.isfinite(stop)):
        raise ConfigurationError(f"linspace needs finite numbers, got {start} and {stop}")
    last = max(count - 1, 1)
    place = places(builder, count, DType.float64)
    inner = place * (stop - start) / last + start
    return where(place < last, inner, stop).astype(DType.of(dtype))


def eye(
    builder: Builder, rows: Size, columns: Size | None = None, dtype: DType | str = DType.float32
) -> Value:
    """1 on the main diagonal of a matrix (rows, columns), else 0."""
    width = rows if columns is None else columns
    row, column = places(builder, rows).reshape((rows, 1)), places(builder, width).reshape((1, width))
    return row.broadcast_to((rows, width)).equals(column.broadcast_to((rows, width))).astype(DType.of(dtype))

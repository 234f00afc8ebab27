"""Elements written or added at integer indices along an axis: `scatter…` and `index_…` of PyTorch.

Whether indices lie within their axis is known only when the graph runs: one outside is a `KernelError`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.operators import indexing
from raygrad.proto.operators import scatter as writing
from raygrad.proto.tensor import DType
from raygrad.proto.value import Operand, Value, lift

from .creation import full_like, ones_like
from .elementwise import maximum, where
from .indexing import along, corner
from .node import node
from .padding import pad

Reduce = Literal["sum", "prod", "mean", "amax", "amin"]
"""What becomes of several values that meet at one place."""

_OPERATORS = {"prod": "mul", "amax": "max", "amin": "min"}


def scatter(x: Value, indices: Value, updates: Operand, axis: int) -> Value:
    """x with `updates` at indices along `axis`; of several at one place the last wins.

    Beside the axis indices reach as far as x, or less far; `updates` as far as indices, or further.
    """
    at, values = x.type.axis(axis), _updates(x, indices, updates)
    part = corner(x, indices.shape, at)
    return _pasted(x, node(writing.Scatter(at), part, indices, values))


def scatter_add(x: Value, indices: Value, updates: Operand, axis: int) -> Value:
    """x with `updates` added at indices along `axis`, which reach as in `scatter`."""
    return x + _added(x, indices, _updates(x, indices, updates), x.type.axis(axis))


def scatter_reduce(
    x: Value, indices: Value, updates: Operand, axis: int, reduce: Reduce, include_self: bool = True
) -> Value:
    """x combined with `updates` at indices along `axis`; if not `include_self`, without x at these places."""
    if reduce not in ("sum", "mean", *_OPERATORS):
        raise ConfigurationError(f"reduce must be sum, prod, mean, amax or amin, got {reduce!r}")
    at, values = x.type.axis(axis), _updates(x, indices, updates)
    if reduce in ("sum", "mean"):
        start = x if include_self else scatter(x, indices, 0, at)
        total = start + _added(x, indices, values, at)
        return _mean(total, x, indices, at, include_self) if reduce == "mean" else total
    start = x if include_self else scatter(x, indices, _neutral(x.dtype, reduce), at)
    part = corner(start, indices.shape, at)
    return _pasted(start, node(writing.ScatterReduce(at, _OPERATORS[reduce]), part, indices, values))


def index_add(x: Value, axis: int, indices: Value, updates: Value) -> Value:
    """x with slices of `updates` added at indices (one axis) along `axis`."""
    at = _one_axis(x, axis, indices)
    return x + node(indexing.TakeGrad(at, x.shape[at]), updates, indices)


def index_copy(x: Value, axis: int, indices: Value, updates: Value) -> Value:
    """x with slices of `updates` at indices (one axis) along `axis`."""
    at = _one_axis(x, axis, indices)
    if updates.rank != x.rank:
        raise TypeMismatchError(f"updates of {x.type} need as many axes, got {updates.type}")
    spread = indices.reshape(along(indices.shape[0], at, x.rank)).broadcast_to(updates.shape)
    return node(writing.Scatter(at), x, spread, updates)


def index_fill(x: Value, axis: int, indices: Value, value: Operand) -> Value:
    """x with `value` in the slices at indices (one axis) along `axis`."""
    at = _one_axis(x, axis, indices)
    shape = (*x.shape[:at], indices.shape[0], *x.shape[at + 1 :])
    return index_copy(x, at, indices, lift(value, x).broadcast_to(shape))


def _one_axis(x: Value, axis: int, indices: Value) -> int:
    """`axis` counted from the front; the indices have one axis themselves."""
    if indices.rank != 1:
        raise TypeMismatchError(f"indices of slices of {x.type} need one axis, got {indices.type}")
    return x.type.axis(axis)


def _updates(x: Value, indices: Value, updates: Operand) -> Value:
    """The updates as they meet the indices: cut to their size, or a scalar spread over them."""
    if indices.rank != x.rank:
        raise TypeMismatchError(f"indices into {x.type} need as many axes, got {indices.type}")
    values = lift(updates, x)
    if values.rank == indices.rank:
        return corner(values, indices.shape, -1)
    return values.broadcast_to(indices.shape)


def _added(x: Value, indices: Value, updates: Value, axis: int) -> Value:
    found = node(indexing.GatherGrad(axis, x.shape[axis]), updates, indices)
    return found if found.shape == x.shape else pad(found, _missing(found, x))


def _pasted(x: Value, part: Value) -> Value:
    """x with `part` over its corner."""
    if part.shape == x.shape:
        return part
    widths = _missing(part, x)
    return where(pad(ones_like(part, "bool"), widths), pad(part, widths), x)


def _missing(part: Value, x: Value) -> list[tuple[int, int]]:
    sizes = zip(part.shape, x.shape, strict=True)
    return [(0, n - s if isinstance(n, int) and isinstance(s, int) else 0) for s, n in sizes]


def _mean(total: Value, x: Value, indices: Value, axis: int, include_self: bool) -> Value:
    one = full_like(indices, 1, x.dtype)
    count = _added(x, indices, one, axis) + (1 if include_self else 0)
    count = maximum(count, 1)
    return total / count if x.dtype.is_floating else total // count


def _neutral(dtype: DType, reduce: Reduce) -> float:
    """What changes nothing: 1, or the least or the greatest number."""
    if reduce == "prod":
        return 1
    if dtype.is_floating:
        return float("-inf") if reduce == "amax" else float("inf")
    limits = np.iinfo(dtype.value)
    return int(limits.min if reduce == "amax" else limits.max)

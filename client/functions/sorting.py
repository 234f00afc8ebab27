"""The elements along an axis in order. Equal elements keep theirs; a NaN counts as the largest."""

from __future__ import annotations

from raygrad.proto.operators.sorting import TopK
from raygrad.proto.value import Value


def topk(x: Value, k: int, axis: int = -1, largest: bool = True) -> tuple[Value, Value]:
    """The k largest (or smallest) elements along `axis`, in order, and their int64 indices."""
    values, indices = x.builder.add(TopK(x.type.axis(axis), k, largest), (x,))
    return values, indices


def sort(x: Value, axis: int = -1, descending: bool = False) -> tuple[Value, Value]:
    """All elements along `axis`, whose size may be a name, in order, and their int64 indices."""
    at = x.type.axis(axis)
    values, indices = x.builder.add(TopK(at, x.shape[at], descending), (x,))
    return values, indices


def argsort(x: Value, axis: int = -1, descending: bool = False) -> Value:
    """The int64 indices that put the elements along `axis` in order."""
    return sort(x, axis, descending)[1]

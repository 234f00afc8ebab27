"""Elements and slices at integer indices along one axis, and choices by a mask.

Whether indices lie within their axis is known only when the graph runs: one outside is a `KernelError`.
"""

from __future__ import annotations

from raygrad.proto.coordinates import counted_from_front
from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators import indexing, scatter
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.tensor import DType, Shape, Size
from raygrad.proto.value import Operand, Value

from .creation import full, full_like, places
from .elementwise import where
from .node import node


def gather(x: Value, indices: Value, axis: int) -> Value:
    """The elements of x at indices along `axis`. Beside it, indices reach as far as x, or less far."""
    at = x.type.axis(axis)
    return node(indexing.Gather(at), corner(x, indices.shape, at), indices)


def take_along_axis(x: Value, indices: Value, axis: int) -> Value:
    """`gather`, where negative indices count from the end of the axis, and sizes beside it broadcast."""
    at = x.type.axis(axis)
    beside = broadcast_shapes(x.type.kept((at,)), indices.type.kept((at,)))
    reach, found = ((*beside[:at], v.shape[at], *beside[at + 1 :]) for v in (x, indices))
    return gather(x.broadcast_to(reach), counted_from_front(indices, x.shape[at]).broadcast_to(found), at)


def take(x: Value, indices: Value, axis: int = 0) -> Value:
    """Whole slices of x at `indices` of any shape, which takes the place of `axis`; negative ones count from
    its end."""
    at = x.type.axis(axis)
    return node(indexing.Take(at), x, counted_from_front(indices, x.shape[at]))


def index_select(x: Value, axis: int, indices: Value) -> Value:
    """Whole slices of x at `indices` (one axis, not negative) along `axis`."""
    return node(indexing.Take(x.type.axis(axis)), x, indices)


def embedding(indices: Value, table: Value, padding_index: int | None = None) -> Value:
    """The rows of the table (rows, *) at integer indices (*places): (*places, *).

    The row `padding_index` (counted from the end if negative), which must exist, gets no gradient.
    """
    rows = node(indexing.Take(0), table, indices)
    if padding_index is None:
        return rows
    (size,) = table.type.of_shape(table.shape[:1]).static
    if not -size <= padding_index < size:
        raise TypeMismatchError(f"embedding has no row {padding_index} in {table.type} to leave out")
    place = padding_index % size
    padding = indices.equals(place).reshape((*indices.shape, *[1] * (table.rank - 1)))
    return where(padding, rows.detach(), rows)


def one_hot(indices: Value, classes: Size, axis: int = -1, dtype: DType | str = DType.int64) -> Value:
    """1 at each index along a new `axis` of `classes` elements, else 0.

    An index outside of them is a `KernelError` when the graph runs.
    """
    if not indices.dtype.is_integer:
        raise TypeMismatchError(f"one_hot needs integer indices, got {indices.type}")
    at = indices.type.of_shape((*indices.shape, classes)).axis(axis)
    kind = DType.of(dtype)
    cold = full(indices.builder, (*indices.shape[:at], classes, *indices.shape[at:]), 0, kind)
    spread = indices.reshape((*indices.shape[:at], 1, *indices.shape[at:]))
    return node(scatter.Scatter(at), cold, spread, full_like(spread, 1, kind))


def hot_within(indices: Value, classes: Size, axis: int) -> Value:
    """`one_hot` as bool, with nothing hot for an index outside of the classes."""
    rank = indices.rank + 1
    at = indices.type.of_shape((*indices.shape, classes)).axis(axis)
    place = places(indices.builder, classes).reshape(along(classes, at, rank))
    wide = indices.astype(DType.int64)  # a narrow dtype need not hold the number of every class
    return wide.reshape((*indices.shape[:at], 1, *indices.shape[at:])).equals(place)


def masked_fill(x: Value, mask: Value, value: Operand) -> Value:
    """`value` where the mask (bool) holds, else x."""
    return where(mask, value, x)


def corner(x: Value, shape: Shape, axis: int) -> Value:
    """The part of x that reaches as far as `shape` from the front along all axes but `axis`."""
    if len(shape) != x.rank:
        return x
    kept = [
        a == axis or s == n or isinstance(n, str) for a, (s, n) in enumerate(zip(x.shape, shape, strict=True))
    ]
    reach = [slice(None) if whole else slice(0, int(n)) for whole, n in zip(kept, shape, strict=True)]
    return x if all(kept) else x[tuple(reach)]


def along(size: Size, axis: int, rank: int) -> Shape:
    """The shape of `rank` axes of size 1, but for `axis`."""
    return tuple(size if a == axis else 1 for a in range(rank))

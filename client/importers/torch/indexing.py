"""ATen operators that read and write at integer indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from raygrad.proto.coordinates import counted_from_front
from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators.shape import SliceGrad
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.tensor import DType, Size
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, Scalar, aten
from .shapes import number


@aten("gather.default")
def gather(call: Call, x: Value, axis: int, indices: Value, *, sparse_grad: bool = False) -> Value:
    return f.gather(x, indices, axis)


@aten("embedding.default")
def embedding(
    call: Call,
    table: Value,
    indices: Value,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    """The row at `padding_idx` gets no gradient."""
    if scale_grad_by_freq:
        raise TypeMismatchError("gradients scaled by frequency are not supported")
    rows = f.embedding(indices, table)
    if padding_idx < 0:
        return rows
    padded = indices.equals(padding_idx).reshape((*indices.shape, *(1 for _ in table.shape[1:])))
    return f.where(padded, rows.detach(), rows)


@aten("index_select.default")
def index_select(call: Call, x: Value, axis: int, indices: Value) -> Value:
    return f.index_select(x, axis, indices)


@aten("index.Tensor")
def index(call: Call, x: Value, indices: Sequence[Value | None]) -> Value:
    """Indices broadcast, and their axes stand where the first indexed one was, or in front if apart."""
    axes, flat, place = _flattened(x, indices)
    taken = f.take(flat, place)
    if axes[-1] - axes[0] + 1 != len(axes):
        return taken
    return f.moveaxis(taken, range(place.rank), range(axes[0], axes[0] + place.rank))


@aten("index_put.default")
def index_put(
    call: Call, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False
) -> Value:
    """At a mask the values must be the same for each of its places: how many these are is not known."""
    given = {axis: i for axis, i in enumerate(indices) if i is not None}
    axis, mask = next(iter(given.items()))
    behind = x.rank - axis - mask.rank
    if mask.dtype is DType.bool and len(given) == 1 and values.rank <= behind:
        chosen = mask.reshape((*mask.shape, *(1,) * behind))
        return f.where(chosen, x + values if accumulate else values, x)
    axes, flat, place = _flattened(x, indices)
    rest = flat.shape[1:]
    if axes[-1] - axes[0] + 1 == len(axes) and rest and axes[0]:
        shape = (*rest[: axes[0]], *place.shape, *rest[axes[0] :])
        spread = values.broadcast_to(shape)
        updates = f.moveaxis(spread, range(axes[0], axes[0] + place.rank), range(place.rank))
    else:
        updates = values.broadcast_to((*place.shape, *rest))
    count = math.prod(number(s) for s in place.shape)
    write = f.index_add if accumulate else f.index_copy
    written = write(flat, 0, place.reshape((count,)), updates.reshape((count, *rest)))
    beside = [a for a in range(x.rank) if a not in axes]
    order = [*axes, *beside]
    back = [order.index(axis) for axis in range(x.rank)]
    return written.reshape([x.shape[a] for a in order]).transpose(back)


def _flattened(x: Value, indices: Sequence[Value | None]) -> tuple[list[int], Value, Value]:
    """The indexed axes, x with them as one in front, and the places along that one."""
    given = {axis: i for axis, i in enumerate(indices) if i is not None}
    if any(i.dtype is DType.bool for i in given.values()):
        raise TypeMismatchError("how many elements a mask selects is not known before it runs: use where")
    axes, sizes = list(given), [x.shape[a] for a in given]
    front = x.transpose([*axes, *(a for a in range(x.rank) if a not in given)])
    if len(axes) == 1:
        return axes, front, counted_from_front(given[axes[0]], sizes[0])
    shape = broadcast_shapes(*(i.shape for i in given.values()))
    place = x.builder.constant(0, DType.int64).broadcast_to(shape)
    for i, size in zip(given.values(), sizes, strict=True):
        counted = counted_from_front(i.astype(DType.int64), size)
        place = place * number(size) + counted.broadcast_to(shape)
    whole = math.prod(number(s) for s in sizes)
    return axes, front.reshape((whole, *front.shape[len(axes) :])), place


# -- writing --------------------------------------------------------------------------------------


@aten("scatter.src", "scatter.value")
def scatter(call: Call, x: Value, axis: int, indices: Value, source: Value | Scalar) -> Value:
    return f.scatter(x, indices, call.value(source, x.dtype), axis)


@aten("scatter_add.default")
def scatter_add(call: Call, x: Value, axis: int, indices: Value, source: Value) -> Value:
    return f.scatter_add(x, indices, source, axis)


@aten("scatter_reduce.two")
def scatter_reduce(
    call: Call, x: Value, axis: int, indices: Value, source: Value, reduce: Any, *, include_self: bool = True
) -> Value:
    return f.scatter_reduce(x, indices, source, axis, reduce, include_self)


@aten("index_add.default")
def index_add(call: Call, x: Value, axis: int, indices: Value, source: Value, *, alpha: Scalar = 1) -> Value:
    scaled = source if alpha == 1 else source * call.value(alpha, source.dtype)
    return f.index_add(x, axis, indices, scaled)


@aten("index_copy.default")
def index_copy(call: Call, x: Value, axis: int, indices: Value, source: Value) -> Value:
    return f.index_copy(x, axis, indices, source)


@aten("index_fill.int_Scalar", "index_fill.int_Tensor")
def index_fill(call: Call, x: Value, axis: int, indices: Value, value: Value | Scalar) -> Value:
    return f.index_fill(x, axis, indices, call.value(value, x.dtype))


@aten("slice_scatter.default")
def slice_scatter(
    call: Call,
    x: Value,
    source: Value,
    axis: int = 0,
    start: int | None = None,
    end: Size | None = None,
    step: int = 1,
) -> Value:
    at = x.type.axis(axis)
    if source.shape == x.shape:
        return source
    first = slice(start, None).indices(number(x.shape[at]))[0]
    return _pasted(x, source, at, first, step)


@aten("select_scatter.default")
def select_scatter(call: Call, x: Value, source: Value, axis: int, index: int) -> Value:
    at = x.type.axis(axis)
    return _pasted(x, f.unsqueeze(source, at), at, index % number(x.shape[at]), 1)


def _pasted(x: Value, source: Value, axis: int, start: int, step: int) -> Value:
    """x with `source` at places start, start + step, … along `axis`."""
    starts = tuple(start if a == axis else 0 for a in range(x.rank))
    steps = tuple(step if a == axis else 1 for a in range(x.rank))
    spread = SliceGrad(x.shape, starts, steps)
    chosen = f.ones_like(source, DType.uint8)
    there: Value = spread(chosen).equals(1)
    return f.where(there, spread(source), x)

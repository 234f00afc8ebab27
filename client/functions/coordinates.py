"""Elements and slices at several integer indices at once, as in `x[i, :, j]`.

Indices are values of integers that broadcast together; negative ones count from the end of their axis. One
outside of its axis is a `KernelError` when the graph runs. Several indexed axes need sizes that are numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.indexing import counted_from_front, require_integers
from raygrad.proto.operators import indexing
from raygrad.proto.operators import scatter as writing
from raygrad.proto.operators.elementwise import Where
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.tensor import DType
from raygrad.proto.value import Operand, Value, lift

from .creation import full_like, places
from .indexing import along, masked_fill
from .node import node

ScatterReduction = Literal["none", "add", "mul", "max", "min"]
"""What becomes of a written element and the one that was there."""


def index(x: Value, indices: Sequence[Value | None]) -> Value:
    """x[i, :, j] for indices (i, None, j): whole axes stand as `None`, and at the end may be left out.

    The axes of the indices take the place of the indexed ones if these are neighbours, else they come first,
    as in NumPy.
    """
    at = _Indexed.of(x, indices)
    taken = node(indexing.Take(0), at.flat(x), at.place)
    return _moved(taken, at.first, len(at.place.shape), back=False)


def index_put(x: Value, indices: Sequence[Value | None], values: Operand, accumulate: bool = False) -> Value:
    """x with `values`, which broadcast, at x[i, :, j]: written (the last of several wins), or added.

    A single bool index, a mask of the first axes, takes a scalar.
    """
    mask = indices[0] if len(indices) == 1 else None
    updates = lift(values, x).astype(x.dtype)
    if mask is not None and mask.dtype is DType.bool and not updates.rank:
        spread = mask.reshape((*mask.shape, *(1,) * (x.rank - mask.rank))).broadcast_to(x.shape)
        return masked_fill(x, spread, x + updates if accumulate else updates)
    at = _Indexed.of(x, indices)
    shape = index(x, indices).shape
    ordered = _moved(updates.broadcast_to(shape), at.first, len(at.place.shape), back=True)
    return at.write(x, ordered, "add" if accumulate else "none")


def gather_nd(x: Value, indices: Value, batch_axes: int = 0) -> Value:
    """x[i₀, …, iₖ₋₁] for the k numbers along the last axis of the indices, as ONNX's GatherND.

    The first `batch_axes` axes of x and of the indices go together.
    """
    return index(x, _coordinates(x, indices, batch_axes))


def scatter_nd(x: Value, indices: Value, updates: Value, reduction: ScatterReduction = "none") -> Value:
    """x with `updates` at the places of `gather_nd`, written or combined, as ONNX's ScatterND."""
    if reduction not in ("none", "add", "mul", "max", "min"):
        raise ConfigurationError(f"reduction must be 'none', 'add', 'mul', 'max' or 'min', got {reduction!r}")
    return _Indexed.of(x, _coordinates(x, indices, 0)).write(x, updates, reduction)


def _coordinates(x: Value, indices: Value, batch_axes: int) -> list[Value]:
    count = indices.shape[-1] if indices.rank else None
    if not isinstance(count, int) or batch_axes >= indices.rank:
        raise TypeMismatchError(f"indices need a last axis whose size is a number, got {indices.type}")
    places_of = indices.shape[:-1]
    batch = [
        places(x.builder, x.shape[a]).reshape(along(x.shape[a], a, len(places_of))) for a in range(batch_axes)
    ]
    return [*batch, *(indices[..., i] for i in range(count))]


@dataclass(frozen=True)
class _Indexed:
    """Which axes are indexed, and where: places in the axes flattened."""

    axes: tuple[int, ...]
    place: Value  # int64, the indices' common shape

    @property
    def first(self) -> int:
        """Where the axes of the indices stand in the result."""
        neighbours = self.axes == tuple(range(self.axes[0], self.axes[0] + len(self.axes)))
        return self.axes[0] if neighbours else 0

    @classmethod
    def of(cls, x: Value, indices: Sequence[Value | None]) -> _Indexed:
        given = {axis: i for axis, i in enumerate(indices) if i is not None}
        if not given or len(indices) > x.rank:
            raise TypeMismatchError(f"{len(given)} of {len(indices)} indices do not index {x.type}")
        for i in given.values():
            require_integers(i.type)
        shape = broadcast_shapes(*(i.shape for i in given.values()))
        spread = {a: counted_from_front(i, x.shape[a]).broadcast_to(shape) for a, i in given.items()}
        return cls(tuple(given), _flat_place(x, spread))

    def order(self, x: Value) -> tuple[int, ...]:
        """The axes of x with the indexed ones first."""
        return (*self.axes, *(a for a in range(x.rank) if a not in self.axes))

    def flat(self, x: Value) -> Value:
        """x with the indexed axes as one, the first."""
        front = x.transpose(self.order(x))
        count = len(self.axes)
        return front if count == 1 else front.reshape((-1, *front.shape[count:]))

    def write(self, x: Value, updates: Value, reduction: str) -> Value:
        """x with `updates` (*indices, *rest) at the places."""
        flat, order = self.flat(x), self.order(x)
        rest = flat.shape[1:]
        place = self.place.reshape((-1,))
        values = updates.reshape((*place.shape, *rest))
        if reduction == "add":
            written = flat + node(indexing.TakeGrad(0, flat.shape[0]), values, place)
        else:
            spread = place.reshape((*place.shape, *(1,) * len(rest))).broadcast_to(values.shape)
            operator = writing.Scatter(0) if reduction == "none" else writing.ScatterReduce(0, reduction)
            written = node(operator, flat, spread, values)
        back = sorted(range(x.rank), key=lambda a: order[a])
        return written.reshape(tuple(x.shape[a] for a in order)).transpose(back)


def _flat_place(x: Value, indices: dict[int, Value]) -> Value:
    """Where the elements lie in the flattened axes; −1, which the kernel refuses, for one outside."""
    if len(indices) == 1:
        return next(iter(indices.values())).astype(DType.int64)
    sizes = {a: x.builder.size_of((x.shape[a],), DType.int64) for a in indices}
    (_, place), *others = indices.items()
    for a, i in others:
        place = place * sizes[a] + i
    inside = functools.reduce(lambda a, b: a & b, ((i >= 0) & (i < sizes[a]) for a, i in indices.items()))
    return node(Where(), inside, place, full_like(place, -1))


def _moved(x: Value, to: int, count: int, back: bool) -> Value:
    """The first `count` axes moved to place `to`, or from there back."""
    rest = list(range(count, x.rank))
    order = [*rest[:to], *range(count), *rest[to:]]
    return x.transpose(sorted(range(x.rank), key=lambda a: order[a]) if back else order)

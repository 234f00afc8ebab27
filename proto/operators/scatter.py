"""Operators that write elements at integer indices along an axis; of several writers the last one wins.

An index outside of the axis is refused by the kernel, as in `indexing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import DType, TensorType
from .base import Cotangents, Operator, filled, require
from .elementwise import zero_where
from .indexing import Gather, GatherGrad
from .scan import Recurrence, delayed
from .shape import Movement
from .sorting import TopK
from .source import Iota

if TYPE_CHECKING:
    from ..value import Value

REDUCTIONS = ("mul", "max", "min")


class Scatter(Movement):
    """x with `updates` at `indices` along `axis`; all other sizes of the three are equal."""

    axis: int

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        return _written(self, self.axis, x, indices, updates)

    def vjp(self, g: Value, y: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        nothing = filled(updates, 0)
        by_updates = zero_where(~self._last(x, indices), Gather(self.axis)(g, indices))
        return self(g, indices, nothing), None, by_updates

    def _last(self, x: Value, indices: Value) -> Value:
        """Which writers no later one overwrites: those whose number stands where they wrote it."""
        size = indices.shape[self.axis]
        beside = tuple(size if a == self.axis else 1 for a in range(indices.rank))
        number = x.builder.add(Iota(size, DType.int64))[0].reshape(beside).broadcast_to(indices.shape)
        blank = x.builder.constant(0, DType.int64).broadcast_to(x.shape)
        written: Value = self(blank, indices, number)
        return number.equals(Gather(self.axis)(written, indices))


class ScatterReduce(Operator):
    """x combined with `updates` at `indices` along `axis` by a product ("mul"), or the larger or smaller."""

    axis: int
    reduction: str

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require(self.reduction in REDUCTIONS, self, f"reduction {self.reduction!r} is none of {REDUCTIONS}")
        require(x.dtype is not DType.bool, self, f"needs numbers, got {x}")
        return _written(self, self.axis, x, indices, updates)

    def vjp(self, g: Value, y: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        if self.reduction == "mul":
            return self._of_product(g, x, indices, updates)
        return self._of_extremum(g, y, x, indices, updates)

    def _of_extremum(self, g: Value, y: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        """All that equal the extremum share the gradient evenly."""
        gather, add = Gather(self.axis), GatherGrad(self.axis, x.shape[self.axis])
        kept, taken = x.differs(y), updates.differs(gather(y, indices))
        count = filled(x, 1) - kept.astype(x.dtype)
        count = count + add((~taken).astype(x.dtype), indices)
        share = g / count
        return zero_where(kept, share), None, zero_where(taken, gather(share, indices))

    def _of_product(self, g: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        """The products of the others, which divide by nothing, so that zeros do no harm.

        In order of their places, those of one place are neighbours: products before and behind each are
        recurrences that begin anew where the place changes.
        """
        gather, size = Gather(self.axis), updates.shape[self.axis]
        order: Value = TopK(self.axis, size, largest=False)(indices)[1]
        place, factor = gather(indices, order), gather(updates, order)
        before = _products(factor, place, gather(x, place), self.axis, reverse=False)
        behind = _products(factor, place, filled(factor, 1), self.axis, reverse=True)
        by_updates = GatherGrad(self.axis, size)(gather(g, place) * before * behind, order)
        return g * self(filled(x, 1), indices, updates), None, by_updates


def _products(factor: Value, place: Value, first: Value, axis: int, reverse: bool) -> Value:
    """Of each, `first` times all factors before it that have its place."""
    number = place.astype(DType.int64) + 1
    begins = number.differs(delayed(number, axis, reverse))
    carried = zero_where(begins, delayed(factor, axis, reverse))
    found: Value = Recurrence(axis, reverse)(carried, zero_where(~begins, first))
    return found


def _written(
    operator: Operator, axis: int, x: TensorType, indices: TensorType, updates: TensorType
) -> TensorType:
    require(updates == indices.of_dtype(x.dtype), operator, f"{updates} does not fit {indices} and {x}")
    Gather(axis).infer(x, indices)
    return x

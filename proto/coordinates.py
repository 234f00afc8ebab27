"""Elements and slices at several integer indices at once, as in `x[i, :, j]`.

Indices are values of integers that broadcast together; negative ones count from the end of their axis. One
outside of its axis is a `KernelError` when the graph runs. Several indexed axes need sizes that are numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import TypeMismatchError
from .operators.elementwise import Where
from .operators.indexing import Take, TakeGrad
from .operators.scatter import Scatter, ScatterReduce
from .promotion import broadcast_shapes
from .tensor import DType, Size
from .value import Value


def index(x: Value, indices: Sequence[Value | None]) -> Value:
    """x[i, :, j] for indices (i, None, j): whole axes stand as `None`, and at the end may be left out.

    The axes of the indices take the place of the indexed ones if these are neighbours, else they come first,
    as in NumPy.
    """
    return Coordinates.of(x, indices).take(x)


def counted_from_front(indices: Value, size: Size) -> Value:
    """Indices of an axis of `size` elements, those counted from its end (negative) counted from its front."""
    if not indices.dtype.is_integer or indices.dtype.value.startswith("u"):
        return indices
    wide = indices.astype(DType.int64)
    found: Value = Where()(wide < 0, wide + indices.builder.size_of((size,), DType.int64), wide)
    return found


@dataclass(frozen=True)
class Coordinates:
    """Which axes are indexed, and where: places in these axes flattened."""

    axes: tuple[int, ...]
    place: Value  # int64, the indices' common shape

    @classmethod
    def of(cls, x: Value, indices: Sequence[Value | None]) -> Coordinates:
        """The places of indices, with `None` for axes that are whole."""
        given = {axis: i for axis, i in enumerate(indices) if i is not None}
        if not given or len(indices) > x.rank:
            raise TypeMismatchError(f"{len(given)} of {len(indices)} indices do not index {x.type}")
        for i in given.values():
            if not i.dtype.is_integer:
                raise TypeMismatchError(f"an index must be integers, got {i.type}: a mask goes into `where`")
        shape = broadcast_shapes(*(i.shape for i in given.values()))
        spread = {a: counted_from_front(i, x.shape[a]).broadcast_to(shape) for a, i in given.items()}
        return cls(tuple(given), _flat_place(x, spread))

    def take(self, x: Value) -> Value:
        """x at the places."""
        if len(self.axes) == 1:
            return _one(Take(self.axes[0])(x, self.place))
        return self._moved(_one(Take(0)(self._flat(x), self.place)), back=False)

    def write(self, x: Value, updates: Value, reduction: str) -> Value:
        """x with `updates`, as they would be taken, at the places: "none" writes, others combine."""
        flat, order = self._flat(x), self._order(x)
        place = self.place.reshape((-1,))
        values = self._moved(updates, back=True).reshape((*place.shape, *flat.shape[1:]))
        if reduction == "add":
            written = flat + _one(TakeGrad(0, flat.shape[0])(values, place))
        else:
            spread = place.reshape((*place.shape, *(1,) * (flat.rank - 1))).broadcast_to(values.shape)
            operator = Scatter(0) if reduction == "none" else ScatterReduce(0, reduction)
            written = _one(operator(flat, spread, values))
        back = sorted(range(x.rank), key=lambda a: order[a])
        return written.reshape(tuple(x.shape[a] for a in order)).transpose(back)

    def _order(self, x: Value) -> tuple[int, ...]:
        """The axes of x with the indexed ones first."""
        return (*self.axes, *(a for a in range(x.rank) if a not in self.axes))

    def _flat(self, x: Value) -> Value:
        """x with the indexed axes as one, the first."""
        front = x.transpose(self._order(x))
        count = len(self.axes)
        return front if count == 1 else front.reshape((-1, *front.shape[count:]))

    def _moved(self, taken: Value, back: bool) -> Value:
        """The axes of the indices, which come first, moved to where they stand in the result, or back."""
        neighbours = self.axes == tuple(range(self.axes[0], self.axes[0] + len(self.axes)))
        first, count = self.axes[0] if neighbours else 0, self.place.rank
        rest = list(range(count, taken.rank))
        order = [*rest[:first], *range(count), *rest[first:]]
        return taken.transpose(sorted(range(taken.rank), key=lambda a: order[a]) if back else order)


def _flat_place(x: Value, indices: dict[int, Value]) -> Value:
    """Where the elements lie in the flattened axes; −1, which the kernel refuses, for one outside."""
    wide = {a: i.astype(DType.int64) for a, i in indices.items()}
    (_, place), *others = wide.items()
    if not others:
        return place
    sizes = {a: x.builder.size_of((x.shape[a],), DType.int64) for a in wide}
    for a, i in others:
        place = place * sizes[a] + i
    inside = functools.reduce(lambda a, b: a & b, ((i >= 0) & (i < sizes[a]) for a, i in wide.items()))
    outside = x.builder.constant(-1, DType.int64).broadcast_to(place.shape)
    return _one(Where()(inside, place, outside))


def _one(value: object) -> Value:
    assert isinstance(value, Value)
    return value

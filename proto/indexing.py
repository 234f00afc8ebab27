"""Indexing of values, as in NumPy: numbers, slices, `None`, `...`, and one value of integers."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from types import EllipsisType
from typing import SupportsIndex, TypeAlias

from .errors import SizeError, TypeMismatchError
from .operators.elementwise import Where
from .operators.indexing import Take
from .operators.shape import Slice
from .tensor import DType, Size, TensorType
from .value import Value

Item: TypeAlias = "SupportsIndex | slice | EllipsisType | Value | None"


@dataclass(frozen=True)
class _Range:
    """What is taken of one axis: `count` places from `start` on, `step` apart."""

    start: int
    count: Size
    step: int = 1
    dropped: bool = False


def index_value(value: Value, index: tuple[Item, ...]) -> Value:
    """`value[index]`, in which one item may be a value: integers, whose axes take the place of the axis."""
    items = _complete(index, value.type)
    places = [at for at, item in enumerate(items) if isinstance(item, Value)]
    if not places:
        return basic_index(value, index)
    if len(places) > 1:
        raise TypeMismatchError(f"{value.type} is indexed by {len(places)} values: use `rg.functions.index`")
    (at,) = places
    indices = items[at]
    assert isinstance(indices, Value)
    require_integers(indices.type)
    taken = basic_index(value, tuple(slice(None) if i == at else item for i, item in enumerate(items)))
    axis = sum(item is None or isinstance(item, slice) for item in items[:at])
    found: Value = Take(axis)(taken, counted_from_front(indices, taken.shape[axis]))
    return found


def require_integers(indices: TensorType) -> None:
    """`TypeMismatchError` for a mask or for numbers that count nothing."""
    if not indices.dtype.is_integer:
        raise TypeMismatchError(f"an index must be integers, got {indices}: choose by a mask with `where`")


def counted_from_front(indices: Value, size: Size) -> Value:
    """Indices of an axis of `size` elements, those counted from its end (negative) counted from its front."""
    if not indices.dtype.is_integer or indices.dtype.value.startswith("u"):
        return indices
    wide = indices.astype(DType.int64)
    found: Value = Where()(wide < 0, wide + indices.builder.size_of((size,), DType.int64), wide)
    return found


def basic_index(value: Value, index: tuple[Item, ...]) -> Value:
    """`value[index]` without values: at most one `Slice` and one `Reshape`.

    An axis of named size can be taken whole, or from places counted from its front. Raises
    `TypeMismatchError` for places outside of an axis, `SizeError` where a name would have to be known.
    """
    items = _complete(index, value.type)
    axes = iter(range(value.rank))
    ranges = [None if item is None else _range(value.type, next(axes), item) for item in items]
    taken = _slice(value, [r for r in ranges if r is not None])
    return taken.reshape([1 if r is None else r.count for r in ranges if r is None or not r.dropped])


def _complete(index: tuple[Item, ...], type: TensorType) -> list[Item]:
    """The index with one item per axis: `...` and missing items at the end become whole slices."""
    dots = [i for i, item in enumerate(index) if item is Ellipsis]
    if len(dots) > 1:
        raise TypeMismatchError(f"index {index} has more than one '...'")
    named = sum(item is not None and item is not Ellipsis for item in index)
    if named > type.rank:
        raise TypeMismatchError(f"index {index} has {named} items for the {type.rank} axes of {type}")
    at = dots[0] if dots else len(index)
    whole: list[Item] = [slice(None)] * (type.rank - named)
    return [*index[:at], *whole, *index[at + 1 :]]


def _range(type: TensorType, axis: int, item: Item) -> _Range:
    size = type.shape[axis]
    if isinstance(item, slice):
        return _named(size, item) if isinstance(size, str) else _numbered(size, item)
    if isinstance(item, bool) or not isinstance(item, SupportsIndex):
        raise TypeMismatchError(f"axis {axis} of {type} takes a number, a slice, None or '...', not {item!r}")
    place = operator.index(item)
    if isinstance(size, str):
        return _Range(_from_front(size, place), 1, dropped=True)
    if not -size <= place < size:
        raise TypeMismatchError(f"index {place} is outside of axis {axis} of {type}")
    return _Range(place % size, 1, dropped=True)


def _numbered(size: int, item: slice) -> _Range:
    places = range(*item.indices(size))
    return _Range(places.start if places else 0, len(places), places.step)


def _named(size: str, item: slice) -> _Range:
    step = 1 if item.step is None else operator.index(item.step)
    start = None if item.start is None else _from_front(size, operator.index(item.start))
    if item.stop is None and not start and step == 1:
        return _Range(0, size)
    if item.stop is None or step < 1:
        raise SizeError(f"{item} depends on the size {size!r}: give a number for it")
    places = range(start or 0, _from_front(size, operator.index(item.stop)), step)
    return _Range(places.start if places else 0, len(places), step)


def _from_front(size: str, place: int) -> int:
    if place < 0:
        raise SizeError(
            f"index {place} counts from the end of an axis of size {size!r}: give a number for it"
        )
    return place


def _slice(value: Value, ranges: list[_Range]) -> Value:
    if all((r.start, r.count, r.step) == (0, size, 1) for r, size in zip(ranges, value.shape, strict=True)):
        return value
    start, count, step = zip(*((r.start, r.count, r.step) for r in ranges), strict=True)
    taken: Value = Slice(start, count, step)(value)
    return taken

"""Indexing of values, as in NumPy: numbers, slices, `None`, `...`, and values of integers."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from types import EllipsisType
from typing import SupportsIndex, TypeAlias

import numpy as np

from . import coordinates
from .errors import SizeError, TypeMismatchError
from .given import plain
from .operators.shape import Slice
from .tensor import Array, DType, Size, TensorType
from .value import Value

Item: TypeAlias = "SupportsIndex | slice | EllipsisType | Value | Array | list[int] | None"


@dataclass(frozen=True)
class _Range:
    """What is taken of one axis: `count` places from `start` on, `step` apart."""

    start: int
    count: Size
    step: int = 1
    dropped: bool = False


def index_value(value: Value, index: tuple[Item, ...]) -> Value:
    """`value[index]`, in which items may be values, arrays or lists of integers.

    Their axes, and those of numbers beside them, are indexed at once, as in NumPy.
    """
    lifted = tuple(_lifted(value, item) for item in index)
    if not any(isinstance(item, Value) for item in lifted):
        return basic_index(value, lifted)
    items = _complete(lifted, value.type)
    axes = iter(range(value.rank))
    places = [None if item is None else _place(value, next(axes), item) for item in items]
    whole = (item if place is None else slice(None) for item, place in zip(items, places, strict=True))
    return coordinates.index(basic_index(value, tuple(whole)), places)


def _lifted(value: Value, item: Item) -> Item:
    """An array or a list as a constant."""
    if not isinstance(item, (np.ndarray, list)):
        return item
    if isinstance(item, list) and not item:  # no indices: as an array it would be of float64
        return value.builder.constant(item, DType.int64)
    try:
        return value.builder.constant(plain(item))
    except ValueError as exc:
        raise TypeMismatchError(f"{item} is no array to index {value.type} with: {exc}") from exc


def _place(value: Value, axis: int, item: Item) -> Value | None:
    """An index of an axis as a value; `None` for a slice."""
    if isinstance(item, slice):
        return None
    if isinstance(item, Value):
        return item
    return value.builder.constant(_range(value.type, axis, item).start, DType.int64)


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
        _check_slice(item)
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


def _check_slice(item: slice) -> None:
    """`TypeMismatchError` for what Python itself would not take."""
    for part in (item.start, item.stop, item.step):
        if part is not None and not isinstance(part, SupportsIndex):
            raise TypeMismatchError(f"a slice has integers, not {part!r:.80}")
    if item.step is not None and operator.index(item.step) == 0:
        raise TypeMismatchError("the step of a slice cannot be 0")


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

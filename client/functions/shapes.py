"""Functions that move elements without computing with them: joining, cutting, padding."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.operators import shape
from raygrad.proto.value import Value, same_dtype

from .node import node


def flatten(x: Value, start: int = 1) -> Value:
    """x with all its axes from `start` on as one; it must have that axis."""
    first = x.type.axis(start)
    return x.reshape((*x.shape[:first], -1))


def concatenate(values: Sequence[Value], axis: int = 0) -> Value:
    """The values joined along `axis`; their other sizes are equal."""
    if not values:
        raise TypeMismatchError("there is nothing to concatenate")
    return node(shape.Concatenate(values[0].type.axis(axis)), *same_dtype(*values))


def stack(values: Sequence[Value], axis: int = 0) -> Value:
    """The values, all of one shape, joined along a new axis."""
    if not values or any(v.shape != values[0].shape for v in values):
        raise TypeMismatchError(f"stack needs values of one shape, got {[str(v.type) for v in values]}")
    rank = values[0].rank + 1
    if not -rank <= axis < rank:
        raise TypeMismatchError(f"axis {axis} does not exist in a stack of {values[0].type}")
    at, sizes = axis % rank, values[0].shape
    return concatenate([v.reshape((*sizes[:at], 1, *sizes[at:])) for v in values], at)


def split(x: Value, sizes: Sequence[int], axis: int = 0) -> tuple[Value, ...]:
    """x cut along `axis` into pieces of the given sizes, which make up the axis."""
    return x.builder.add(shape.Split(x.type.axis(axis), tuple(sizes)), (x,))


def pad(x: Value, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Value:
    """x with (before, after) elements of `value` added to each axis."""
    before, after = (tuple(w[side] for w in widths) for side in (0, 1))
    return node(shape.Pad(before, after, value), x)

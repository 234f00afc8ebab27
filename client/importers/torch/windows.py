"""How torch gives windows over spatial axes: one number or one per axis, the batch axis optional."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from raygrad.proto.value import Value

Numbers = Sequence[int]
Results = TypeVar("Results", Value, tuple[Value, Value])


def spread(numbers: Numbers, count: int) -> tuple[int, ...]:
    """Numbers per axis, of which one stands for all."""
    return tuple(numbers) * count if len(numbers) == 1 else tuple(numbers)


def batched(x: Value, count: int, function: Callable[[Value], Results]) -> Results:
    """A function of (N, C, *spatial) with `count` spatial axes, of a value that may lack N."""
    if x.rank == count + 2:
        return function(x)
    found: Any = function(x.reshape((1, *x.shape)))
    if isinstance(found, tuple):
        return cast("Results", tuple(y.reshape(y.shape[1:]) for y in found))
    return cast("Results", found.reshape(found.shape[1:]))

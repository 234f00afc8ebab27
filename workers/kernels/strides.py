"""Strides of dense arrays: what "in its physical layout" means, exactly, for every backend."""

from __future__ import annotations

import functools


@functools.lru_cache(maxsize=4096)
def strides_of(shape: tuple[int, ...], order: tuple[int, ...], itemsize: int = 1) -> tuple[int, ...]:
    """The strides of a dense array whose axes lie in memory in `order`, outermost first.

    Counted in elements, or in bytes if `itemsize` is given. Axes of size 1 get the stride that the rule
    gives them (the product of the sizes further in), so that there is one answer: libraries look at them
    when they choose an algorithm.
    """
    strides, step = [0] * len(shape), itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def c_order(rank: int) -> tuple[int, ...]:
    """The last axis innermost."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """Axis 1 (the channels) innermost, the others in C order: NHWC for rank 4, NDHWC for rank 5."""
    return (0, *range(2, rank), 1)

"""How torch gives windows over spatial axes: one number or one per axis, the batch axis optional."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

Numbers = Sequence[int]


def spread(numbers: Numbers, count: int) -> tuple[int, ...]:
    """Numbers per axis, of which one stands for all."""
    return tuple(numbers) * count if len(numbers) == 1 else tuple(numbers)


def batched(x: Value, count: int, function: Callable[[Value], Value]) -> Value:
    """A function of (N, C, *spatial) with `count` spatial axes, of a value that may lack N."""
    if x.rank == count + 2:
        return function(x)
    y = function(x.reshape((1, *x.shape)))
    return y.reshape(y.shape[1:])


def ceil_sides(
    sizes: Sequence[Size], kernel: Numbers, stride: Numbers, padding: Numbers, dilation: Numbers
) -> tuple[tuple[int, int], ...]:
    """Padding, with more behind so that the last window begins within the input or the padding before it."""
    return tuple(map(_ceil_side, sizes, kernel, stride, padding, dilation))


def _ceil_side(size: Size, kernel: int, stride: int, padding: int, dilation: int) -> tuple[int, int]:
    from .shapes import number

    room = number(size) + 2 * padding - dilation * (kernel - 1) - 1
    windows = -(-room // stride) + 1
    if (windows - 1) * stride >= number(size) + padding:
        windows -= 1
    return padding, padding + max((windows - 1) * stride - room, 0)

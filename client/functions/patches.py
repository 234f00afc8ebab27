"""Windows as axes of their own (im2col and its adjoint), and pixels as channels."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.operators import indexing
from raygrad.proto.tensor import INTEGERS
from raygrad.proto.value import Value

from .creation import places
from .node import node
from .padding import pad
from .windows import PerAxis, each, spatial_rank


def unfold(
    x: Value, kernel: PerAxis, stride: PerAxis = 1, padding: PerAxis = 0, dilation: PerAxis = 1
) -> Value:
    """The windows of x (N, C, *spatial) as columns (N, C · kernel elements, windows): im2col."""
    count = spatial_rank(x)
    sides = each(padding, count)
    padded = pad(x, [(0, 0), (0, 0), *((p, p) for p in sides)]) if any(sides) else x
    windows = _windows(padded.shape[2:], *(each(v, count) for v in (kernel, stride, dilation)))
    for i, (size, step, spacing, number) in enumerate(windows):
        axis = 2 + 2 * i
        padded = node(indexing.Take(axis), padded, _reach(x, size, step, spacing, number))
    order = (0, 1, *range(2, 2 + 2 * count, 2), *range(3, 2 + 2 * count, 2))
    columns = padded.transpose(order)
    channels = _product(columns.shape[1 : 2 + count])
    return columns.reshape((columns.shape[0], channels, _product(columns.shape[2 + count :])))


def fold(
    x: Value,
    output: PerAxis,
    kernel: PerAxis,
    stride: PerAxis = 1,
    padding: PerAxis = 0,
    dilation: PerAxis = 1,
) -> Value:
    """The adjoint of `unfold`: columns (N, C · kernel elements, windows) added up as (N, C, *output).

    `output` says how many spatial axes there are: a number stands for two of that size.
    """
    sizes = (output, output) if isinstance(output, INTEGERS) else tuple(output)
    count = len(sizes)
    sides = each(padding, count)
    padded = tuple(s + 2 * p for s, p in zip(sizes, sides, strict=True))
    windows = _windows(padded, *(each(v, count) for v in (kernel, stride, dilation)))
    kernels, numbers = [w[0] for w in windows], [w[3] for w in windows]
    channels, rest = divmod(_product(x.shape[1:2]), _product(kernels)) if x.rank == 3 else (0, 1)
    if rest or x.shape[-1] != _product(numbers):
        raise TypeMismatchError(f"{x.type} does not fold to {sizes} with {kernels}, in {numbers} windows")
    spread = x.reshape((x.shape[0], channels, *kernels, *numbers))
    order = (0, 1, *(a for i in range(count) for a in (2 + i, 2 + count + i)))
    added = spread.transpose(order)
    for i, (size, step, spacing, number) in reversed(list(enumerate(windows))):
        reach = _reach(x, size, step, spacing, number)
        added = node(indexing.TakeGrad(2 + 2 * i, padded[i]), added, reach)
    inner = [slice(p, p + s) for p, s in zip(sides, sizes, strict=True)]
    return added[(slice(None), slice(None), *inner)]


def sliding_windows(x: Value, axis: int, size: int, step: int) -> Value:
    """The windows of `size` elements along `axis`, `step` apart, as a last axis, as `Tensor.unfold`."""
    at = x.type.axis(axis)
    ((_, _, _, number),) = _windows(x.shape[at : at + 1], (size,), (step,), (1,))
    taken = node(indexing.Take(at), x, _reach(x, size, step, 1, number))
    return taken.transpose([*(a for a in range(taken.rank) if a != at), at])


def pixel_shuffle(x: Value, factor: int) -> Value:
    """(*, C · factor², H, W) as (*, C, H · factor, W · factor): channels become pixels."""
    *front, channels, rows, columns = _images(x)
    if factor < 1 or channels % factor**2:
        raise TypeMismatchError(f"pixel_shuffle by {factor} does not divide the channels of {x.type}")
    count, lead = channels // factor**2, len(front)
    cells = x.reshape((*x.shape[:-3], count, factor, factor, rows, columns))
    order = [*range(lead + 1), lead + 3, lead + 1, lead + 4, lead + 2]
    return cells.transpose(order).reshape((*x.shape[:-3], count, rows * factor, columns * factor))


def pixel_unshuffle(x: Value, factor: int) -> Value:
    """(*, C, H · factor, W · factor) as (*, C · factor², H, W): pixels become channels."""
    *front, channels, rows, columns = _images(x)
    if factor < 1 or rows % factor or columns % factor:
        raise TypeMismatchError(f"pixel_unshuffle by {factor} does not divide the pixels of {x.type}")
    lead = len(front)
    cells = x.reshape((*x.shape[:-3], channels, rows // factor, factor, columns // factor, factor))
    order = [*range(lead + 1), lead + 2, lead + 4, lead + 1, lead + 3]
    shape = (channels * factor**2, rows // factor, columns // factor)
    return cells.transpose(order).reshape((*x.shape[:-3], *shape))


def channel_shuffle(x: Value, groups: int) -> Value:
    """x (N, C, *) with the channels of its groups interleaved."""
    channels = x.shape[1] if x.rank > 1 else None
    if not isinstance(channels, int) or groups < 1 or channels % groups:
        raise TypeMismatchError(f"channel_shuffle by {groups} does not divide the channels of {x.type}")
    cells = x.reshape((x.shape[0], groups, channels // groups, *x.shape[2:]))
    return cells.transpose([0, 2, 1, *range(3, cells.rank)]).reshape(x.shape)


def _images(x: Value) -> Sequence[int]:
    """The sizes of x, of which the last three are numbers (names in front count as 0)."""
    if x.rank < 3 or any(isinstance(s, str) for s in x.shape[-3:]):
        raise TypeMismatchError(f"needs (*, channels, rows, columns) with numbers at the end, got {x.type}")
    return [s if isinstance(s, int) else 0 for s in x.shape]


_Window = tuple[int, int, int, int]


def _windows(
    sizes: Sequence[int | str], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[_Window]:
    """Of each axis: elements of a window, its step, their spacing, and the number of windows."""
    found = []
    for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        if isinstance(size, str):
            raise SizeError(f"windows over an axis of size {size!r} cannot be counted: give a number for it")
        left = size - d * (k - 1) - 1
        if left < 0 or min(k, s, d) < 1:
            raise TypeMismatchError(f"a window of {k} elements, {d} apart, with step {s} does not fit {size}")
        found.append((k, s, d, left // s + 1))
    return found


def _reach(x: Value, size: int, step: int, spacing: int, number: int) -> Value:
    """The places (elements of a window, windows) that the windows of one axis read."""
    element = places(x.builder, size).reshape((size, 1)) * spacing
    return element + places(x.builder, number) * step


def _product(sizes: Sequence[int | str]) -> int:
    found = 1
    for size in sizes:
        if isinstance(size, str):
            raise SizeError(f"the size {size!r} cannot be multiplied: give a number for it")
        found *= size
    return found

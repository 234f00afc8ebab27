"""Pooling of values (N, channels, *spatial) with one to three spatial axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.operators.convolution import Conv
from raygrad.proto.operators.indexing import Take
from raygrad.proto.operators.pooling import AvgPool, MaxPool
from raygrad.proto.operators.resampling import Resample
from raygrad.proto.tensor import INTEGERS, DType, Size
from raygrad.proto.value import Value

from .creation import ones, places, zeros
from .elementwise import floor_divide, minimum, remainder
from .node import node
from .padding import pad
from .reductions import nonnegative_power, norm
from .scattering import scatter
from .shapes import flatten
from .windows import Padding, PerAxis, Sides, Windows, each, spatial_rank, windows_over

# -- the largest ------------------------------------------------------------------------------------


def max_pool(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Value:
    """The largest element of each window of x (N, C, *spatial); windows do not overlap by default.

    With `ceil_mode`, a last window that reaches over the end counts too, if it begins before the end.
    """
    return max_pool_with_indices(x, kernel, stride, padding, dilation, ceil_mode)[0]


def max_pool_with_indices(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> tuple[Value, Value]:
    """`max_pool`, and where the largest elements lie, counted in C order over the spatial axes (int64)."""
    over = windows_over(x, kernel, stride, padding, dilation, ceil_mode)
    operator = MaxPool(over.stride, over.reaching, over.kernel, over.dilation)
    y, indices = x.builder.add(operator, (x,))
    return y, indices


def max_unpool(
    x: Value,
    indices: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    sizes: Sequence[int] | None = None,
) -> Value:
    """Zeros with each element of x where `max_pool_with_indices` found it; of several at one place the last.

    The spatial `sizes` are by default (size − 1) · stride − 2 · padding + kernel. An index outside of them
    is a `KernelError` when the graph runs.
    """
    count = spatial_rank(x)
    if indices.shape != x.shape:
        raise TypeMismatchError(
            f"max_unpool needs one index for each element of {x.type}, got {indices.type}"
        )
    widths, steps = each(kernel, count), each(kernel if stride is None else stride, count)
    if min((*widths, *steps)) < 1:
        raise TypeMismatchError(f"max_unpool needs windows and steps of at least 1, got {widths} and {steps}")
    if sizes is None:
        axes = zip(x.type.of_shape(x.shape[2:]).static, widths, steps, each(padding, count), strict=True)
        sizes = [(size - 1) * step - 2 * pads + width for size, width, step, pads in axes]
    if len(sizes) != count:
        raise TypeMismatchError(f"max_unpool needs {count} sizes for {x.type}, got {sizes}")
    flat = zeros(x.builder, (*x.shape[:2], math.prod(sizes)), x.dtype)
    found = scatter(flat, flatten(indices, 2), flatten(x, 2), 2)
    return found.reshape((*x.shape[:2], *sizes))


# -- the mean ---------------------------------------------------------------------------------------


_FEW = 1024
"""Elements of a window that half precision can count, and divide by."""


def avg_pool(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    count_include_pad: bool = True,
    ceil_mode: bool = False,
    divisor: float | None = None,
    dilation: PerAxis = 1,
) -> Value:
    """The mean of each window of x (N, C, *spatial); windows do not overlap by default.

    Padding counts as zeros, or not at all without `count_include_pad`; what a window of `ceil_mode` reaches
    beyond the padding never counts. With `divisor` each window's sum is divided by that number instead.
    """
    over = windows_over(x, kernel, stride, padding, dilation, ceil_mode)
    if x.dtype.is_half and math.prod(over.kernel) > _FEW:
        options = (count_include_pad, ceil_mode, divisor, dilation)
        return avg_pool(x.astype(DType.float32), kernel, stride, padding, *options).astype(x.dtype)
    if divisor == 0:
        raise ConfigurationError("the divisor of avg_pool cannot be 0")
    if divisor is not None:
        return _window_sums(x, over) / divisor
    if any(d != 1 for d in over.dilation):
        return _window_sums(x, over) / _counts(x, over, count_include_pad)
    if count_include_pad and any(over.extension):
        x, over = _padded(x, over.padding), over.without_padding()
        count_include_pad = False
    return node(AvgPool(over.stride, over.reaching, over.kernel, count_include_pad), x)


def _window_sums(x: Value, over: Windows) -> Value:
    """The sum of each window."""
    if any(d != 1 for d in over.dilation):
        return _convolved_with_ones(x, over)
    mean = node(AvgPool(over.stride, over.reaching, over.kernel, True), x)
    return mean * float(math.prod(over.kernel))


def _convolved_with_ones(x: Value, over: Windows) -> Value:
    """Window sums as a convolution of each channel with ones, for windows with gaps."""
    (channels,) = x.type.of_shape(x.shape[1:2]).static
    weight = ones(x.builder, (channels, 1, *over.kernel), x.dtype)
    return node(Conv(over.stride, over.reaching, over.dilation, channels), x, weight)


def _counts(x: Value, over: Windows, count_include_pad: bool) -> Value:
    """How many elements each window holds, of shape (1, 1, *windows)."""
    counted = ones(x.builder, (1, 1, *x.shape[2:]), x.dtype)
    if count_include_pad:
        counted, over = _padded(counted, over.padding, 1.0), over.without_padding()
    return _convolved_with_ones(counted, over)


def _padded(x: Value, sides: Sides, value: float = 0.0) -> Value:
    return pad(x, [(0, 0), (0, 0), *sides], value)


# -- norms ------------------------------------------------------------------------------------------


def lp_pool(
    x: Value,
    p: float,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Value:
    """The norm (Σ|x|ᵖ)^(1/p) of each window of x (N, C, *spatial), with derivative 0 where it is 0."""
    if p == 0:
        raise ConfigurationError("lp_pool needs a p other than 0")
    if math.isinf(p):
        return max_pool(abs(x), kernel, stride, padding, dilation, ceil_mode)
    over = windows_over(x, kernel, stride, padding, dilation, ceil_mode)
    if p == 1.0:
        return _window_sums(abs(x), over)
    powers = x.square() if p == 2.0 else nonnegative_power(abs(x), p)
    return nonnegative_power(_window_sums(powers, over), 1.0 / p)


# -- all of an axis ---------------------------------------------------------------------------------


def global_avg_pool(x: Value) -> Value:
    """The mean of each channel of x (N, C, *spatial), whose sizes may be names: (N, C, 1, …)."""
    return x.mean(range(2, x.rank), keepdims=True)


def global_max_pool(x: Value) -> Value:
    """The largest element of each channel of x (N, C, *spatial), whose sizes may be names: (N, C, 1, …).

    Equal ones share the gradient.
    """
    return x.max(range(2, x.rank), keepdims=True)


def global_lp_pool(x: Value, p: float = 2.0) -> Value:
    """The norm (Σ|x|ᵖ)^(1/p) of each channel of x (N, C, *spatial), with derivative 0 where it is 0."""
    return norm(x, range(2, x.rank), keepdims=True, p=p)


# -- a number of windows ----------------------------------------------------------------------------


def adaptive_avg_pool(x: Value, sizes: int | Sequence[int | None]) -> Value:
    """The means of windows that divide the spatial axes of x (N, C, *spatial) into `sizes` (`None`: as is).

    Window i of S covers the places from ⌊i·L/S⌋ to below ⌈(i+1)·L/S⌉ of an axis of L, which may be a name.
    """
    wanted = _adaptive_sizes(x, sizes)
    if (kernel := _even_kernel(x, wanted)) is not None:
        return avg_pool(x, kernel)
    for axis, size in enumerate(wanted, 2):
        if size == 1:
            x = x.mean(axis, keepdims=True)
        elif size != x.shape[axis]:
            x = node(Resample(axis, size, "area"), x)
    return x


def adaptive_max_pool(x: Value, sizes: int | Sequence[int | None]) -> Value:
    """The largest elements of the windows of `adaptive_avg_pool`; axes of named size stay, or become 1."""
    wanted = _adaptive_sizes(x, sizes)
    named = [axis for axis, size in enumerate(wanted, 2) if size == 1 and isinstance(x.shape[axis], str)]
    whole = x.max(named, keepdims=True) if named else x
    if (kernel := _even_kernel(whole, wanted)) is not None:
        return max_pool(whole, kernel)
    spread, kernels, _ = _spread(whole, wanted)
    return max_pool(spread, kernels)


def adaptive_max_pool_with_indices(x: Value, sizes: int | Sequence[int | None]) -> tuple[Value, Value]:
    """`adaptive_max_pool`, and where the largest elements lie, as in `max_pool_with_indices`."""
    wanted = _adaptive_sizes(x, sizes)
    if (kernel := _even_kernel(x, wanted)) is not None:
        return max_pool_with_indices(x, kernel)
    spread, kernels, origins = _spread(x, wanted)
    y, indices = max_pool_with_indices(spread, kernels)
    return y, _gathered_back(indices, spread, x, origins)


def _spread(x: Value, sizes: tuple[Size, ...]) -> tuple[Value, list[int], list[Value | None]]:
    """x with its windows one after the other, their lengths, and where the places of each axis come from."""
    kernels = [1] * len(sizes)
    origins: list[Value | None] = [None] * len(sizes)
    for axis, size in enumerate(sizes):
        if size != x.shape[axis + 2]:
            kernels[axis], taken = _window_places(x, axis + 2, size)
            origins[axis] = taken
            x = node(Take(axis + 2), x, taken)
    return x, kernels, origins


def _gathered_back(indices: Value, spread: Value, x: Value, origins: Sequence[Value | None]) -> Value:
    """Places counted over the spatial axes of what `_spread` made as places counted over those of x."""
    here, there = (v.type.of_shape(v.shape[2:]).static for v in (spread, x))
    total: Value | None = None
    for axis, origin in enumerate(origins):
        place = remainder(floor_divide(indices, math.prod(here[axis + 1 :])), here[axis])
        place = place if origin is None else node(Take(0), origin, place)
        term = place * math.prod(there[axis + 1 :])
        total = term if total is None else total + term
    assert total is not None
    return total


def _adaptive_sizes(x: Value, sizes: int | Sequence[int | None]) -> tuple[Size, ...]:
    count = spatial_rank(x)
    given = [sizes] * count if isinstance(sizes, INTEGERS) else [*sizes]
    if len(given) != count or any(s is not None and s < 1 for s in given):
        raise TypeMismatchError(f"{count} sizes of at least 1 are needed for {x.type}, got {sizes}")
    return tuple(length if s is None else s for s, length in zip(given, x.shape[2:], strict=True))


def _even_kernel(x: Value, sizes: tuple[Size, ...]) -> tuple[int, ...] | None:
    """The windows' sizes, if all are of one size and do not overlap."""
    pairs = [*zip(x.shape[2:], sizes, strict=True)]
    numbers = [(a, b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
    if len(numbers) < len(pairs) or any(a % b for a, b in numbers):
        return None
    return tuple(a // b for a, b in numbers)


def _window_places(x: Value, axis: int, size: Size) -> tuple[int, Value]:
    """How many places a window has along an axis, and all their places: shorter ones repeat their last."""
    length = x.shape[axis]
    if isinstance(length, str) or isinstance(size, str):
        raise SizeError(f"adaptive_max_pool cannot divide axis {axis} of {x.type}: give a number for it")
    whole, left = divmod(length, size)
    most = whole if not left else whole + 1 if not size % left else whole + 2
    number = places(x.builder, size).reshape((size, 1))
    first, end = floor_divide(number * length, size), floor_divide((number + 1) * length + (size - 1), size)
    return most, minimum(first + places(x.builder, most), end - 1).reshape((-1,))

"""Convolution, pooling and normalization of values (N, channels, *spatial) with one to three spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.operators.convolution import Conv
from raygrad.proto.operators.normalization import BatchNorm, BatchNormInference
from raygrad.proto.operators.pooling import AvgPool, MaxPool
from raygrad.proto.value import Value

PerAxis = int | Sequence[int]
"""A number for all spatial axes, or one for each."""

Padding = PerAxis | Sequence[tuple[int, int]] | str
"""Elements on both sides of all axes, of each axis, or (before, after) of each axis; or "valid" or "same"."""


def conv(
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Value:
    """x (N, C, *spatial) convolved with weight (O, C/groups, *kernel), plus bias (O,): (N, O, *windows).

    `padding="same"` pads with zeros so that the spatial sizes stay; its stride must be 1.
    """
    count = _spatial(x)
    kernel = weight.type.of_shape(weight.shape[2:]).static
    steps, spacing = _each(stride, count), _each(dilation, count)
    sides = _sides(padding, kernel, steps, spacing)
    operator = Conv(stride=steps, padding=sides, dilation=spacing, groups=groups)
    inputs = (x, weight) if bias is None else (x, weight, bias)
    return x.builder.add(operator, inputs)[0]


def max_pool(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
) -> Value:
    """The largest element of each window of x (N, C, *spatial); windows do not overlap by default."""
    count = _spatial(x)
    sizes, spacing = _each(kernel, count), _each(dilation, count)
    steps = sizes if stride is None else _each(stride, count)
    sides = _sides(padding, sizes, steps, spacing)
    operator = MaxPool(kernel=sizes, stride=steps, padding=sides, dilation=spacing)
    return x.builder.add(operator, (x,))[0]


def avg_pool(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    count_include_pad: bool = True,
) -> Value:
    """The mean of each window of x (N, C, *spatial); windows do not overlap by default."""
    count = _spatial(x)
    sizes = _each(kernel, count)
    steps = sizes if stride is None else _each(stride, count)
    sides = _sides(padding, sizes, steps, (1,) * count)
    operator = AvgPool(kernel=sizes, stride=steps, padding=sides, count_include_pad=count_include_pad)
    return x.builder.add(operator, (x,))[0]


def batch_norm(x: Value, weight: Value, bias: Value, eps: float = 1e-5) -> tuple[Value, Value, Value]:
    """Training: x (N, C, *spatial) normalized per channel with this mini-batch's statistics, and these.

    Returns (y, mean, variance); the variance is the biased one. Running statistics are the client's:
    name mean and variance as outputs, and fold them.
    """
    y, mean, variance = x.builder.add(BatchNorm(eps), (x, weight, bias))
    return y, mean, variance


def batch_norm_inference(
    x: Value, weight: Value, bias: Value, mean: Value, variance: Value, eps: float = 1e-5
) -> Value:
    """x (N, C, *spatial) normalized per channel with the given statistics."""
    return x.builder.add(BatchNormInference(eps), (x, weight, bias, mean, variance))[0]


def _spatial(x: Value) -> int:
    """The number of spatial axes."""
    if not 3 <= x.rank <= 5:
        raise TypeMismatchError(f"needs (N, channels, *spatial) with one to three spatial axes, got {x.type}")
    return x.rank - 2


def _each(number: PerAxis, count: int) -> tuple[int, ...]:
    return (number,) * count if isinstance(number, int) else tuple(number)


def _sides(
    padding: Padding, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """The padding as (before, after) of each axis."""
    if isinstance(padding, str):
        return _named_sides(padding, kernel, stride, dilation)
    if isinstance(padding, int):
        return ((padding, padding),) * len(kernel)
    return tuple((p, p) if isinstance(p, int) else (p[0], p[1]) for p in padding)


def _named_sides(
    padding: str, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding != "same":
        raise ConfigurationError(f"padding must be numbers, 'valid' or 'same', got {padding!r}")
    if any(s != 1 for s in stride):
        raise ConfigurationError(f"padding 'same' keeps sizes at stride 1 only, got {stride}: give numbers")
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((r // 2, r - r // 2) for r in reach)

"""Convolution of values (N, channels, *spatial) with one to three spatial axes."""

from __future__ import annotations

from typing import NamedTuple

from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.operators.convolution import Conv, ConvInputGrad
from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from .node import node
from .padding import pad
from .windows import Padding, PerAxis, each, sides_of, spatial_rank


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
    count = spatial_rank(x)
    kernel = weight.type.of_shape(weight.shape[2:]).static
    steps, spacing = each(stride, count), each(dilation, count)
    sides = sides_of(padding, kernel, steps, spacing)
    operator = Conv(stride=steps, padding=sides, dilation=spacing, groups=groups)
    inputs = (x, weight) if bias is None else (x, weight, bias)
    return node(operator, *inputs)


def conv_transpose(
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
) -> Value:
    """The adjoint of `conv`: x (N, C, *spatial), weight (C, O/groups, *kernel), plus bias (O,).

    Each axis of the result has (size − 1) · stride + dilation · (kernel − 1) + 1 elements, less its padding,
    plus `output_padding` at its end, which is less than the stride or the dilation.
    """
    count = spatial_rank(x)
    if weight.rank != x.rank or (bias is not None and bias.rank != 1):
        given = weight.type if bias is None else f"{weight.type} and a bias {bias.type}"
        raise TypeMismatchError(
            f"conv_transpose of {x.type} needs (C, O/groups, *kernel) and (O,), got {given}"
        )
    kernel = weight.type.of_shape(weight.shape[2:]).static
    steps, spacing, more = each(stride, count), each(dilation, count), each(output_padding, count)
    sides = sides_of(padding, kernel, (1,) * count, spacing)
    windows = zip(x.shape[2:], kernel, steps, sides, spacing, more, strict=True)
    axes = [_transposed(*window) for window in windows]
    cropped = tuple(axis.padding for axis in axes)
    operator = ConvInputGrad(steps, cropped, spacing, groups, tuple(axis.size for axis in axes))
    y = node(operator, x, weight)
    if any(axis.zeros for axis in axes):
        y = pad(y, [(0, 0), (0, 0), *((0, axis.zeros) for axis in axes)])
    if bias is not None and bias.shape != y.shape[1:2]:
        raise TypeMismatchError(f"the bias {bias.type} does not fit the channels of {y.type}")
    return y if bias is None else y + bias.reshape((1, *bias.shape, *(1 for _ in axes)))


class _Transposed(NamedTuple):
    """An axis of a transposed convolution: its size, what is cut off it, and zeros that no window reaches."""

    size: Size
    padding: tuple[int, int]
    zeros: int


def _transposed(
    size: Size, kernel: int, stride: int, padding: tuple[int, int], dilation: int, more: int
) -> _Transposed:
    """Output padding below the stride is what its convolution steps over; more takes padding back first."""
    before, after = padding
    zeros = 0
    if not 0 <= more < max(stride, dilation):
        raise ConfigurationError(f"output_padding {more} is not below stride {stride} or dilation {dilation}")
    if more >= stride:
        back = min(more, after)
        after, more = after - back, more - back
        more, zeros = (0, more) if more >= stride else (more, 0)
    added = dilation * (kernel - 1) + 1 - before - after + more - stride
    if isinstance(size, int):
        return _Transposed(max(size * stride + added, 0), (before, after), zeros)
    if stride == 1 and not added:
        return _Transposed(size, (before, after), zeros)
    raise SizeError(f"a transposed convolution cannot express its size for {size!r}: give a number for it")

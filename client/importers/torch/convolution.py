"""ATen's convolutions."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten
from .windows import Numbers, batched, spread

Bias = Value | None


@aten(*(f"conv{count}d.{kind}" for count in (1, 2, 3) for kind in ("default", "padding")))
def conv(
    call: Call,
    x: Value,
    weight: Value,
    bias: Bias = None,
    stride: Numbers = (1,),
    padding: Numbers | str = (0,),
    dilation: Numbers = (1,),
    groups: int = 1,
) -> Value:
    count = weight.rank - 2
    steps, spacing = spread(stride, count), spread(dilation, count)
    sides = padding if isinstance(padding, str) else spread(padding, count)
    return batched(x, count, lambda x: f.conv(x, weight, bias, steps, sides, spacing, groups))


@aten("conv_transpose1d.default", "conv_transpose2d.input", "conv_transpose3d.input")
def conv_transpose(
    call: Call,
    x: Value,
    weight: Value,
    bias: Bias = None,
    stride: Numbers = (1,),
    padding: Numbers = (0,),
    output_padding: Numbers = (0,),
    groups: int = 1,
    dilation: Numbers = (1,),
) -> Value:
    count = weight.rank - 2
    steps, sides, more, spacing = (spread(n, count) for n in (stride, padding, output_padding, dilation))
    return batched(x, count, lambda x: f.conv_transpose(x, weight, bias, steps, sides, more, groups, spacing))


@aten("convolution.default")
def convolution(
    call: Call,
    x: Value,
    weight: Value,
    bias: Bias,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    transposed: bool,
    output_padding: Numbers,
    groups: int,
) -> Value:
    if transposed:
        return conv_transpose(call, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(call, x, weight, bias, stride, padding, dilation, groups)

"""Convolutions. Each function names the page of its operator."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import converts
from .windows import Sides, per_axis, sides


@converts("Conv")
def conv(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Conv.html"""
    x, weight = call.value(0), call.value(1)
    kernel = weight.type.of_shape(weight.shape[2:]).static
    return f.conv(
        x,
        weight,
        call.optional(2),
        stride=per_axis(call, "strides", x.rank - 2),
        padding=sides(call, x, kernel),
        dilation=per_axis(call, "dilations", x.rank - 2),
        groups=call.attribute("group", 1),
    )


@converts("ConvTranspose")
def conv_transpose(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__ConvTranspose.html"""
    x, weight = call.value(0), call.value(1)
    count = x.rank - 2
    padding, more = _transposed_sides(call, x, weight.type.of_shape(weight.shape[2:]).static)
    return f.conv_transpose(
        x,
        weight,
        call.optional(2),
        stride=per_axis(call, "strides", count),
        padding=padding,
        output_padding=more,
        groups=call.attribute("group", 1),
        dilation=per_axis(call, "dilations", count),
    )


def _transposed_sides(call: Call, x: Value, kernel: tuple[int, ...]) -> tuple[Sides, tuple[int, ...]]:
    """What is cut off both ends of each axis, and added at its end: given, or by the output's size."""
    count = x.rank - 2
    more = tuple(call.attribute("output_padding", (0,) * count))
    wanted = call.attribute("output_shape")
    mode = call.attribute("auto_pad", "NOTSET")
    if wanted is None and mode in ("", "NOTSET", "VALID"):
        return sides(call, x, kernel), more
    steps, spacing = per_axis(call, "strides", count), per_axis(call, "dilations", count)
    sizes = x.type.of_shape(x.shape[2:]).static
    if wanted is None:
        wanted = tuple(size * step for size, step in zip(sizes, steps, strict=True))
    cut: list[tuple[int, int]] = []
    added: list[int] = []
    axes = zip(sizes, steps, spacing, kernel, more, wanted[-count:], strict=True)
    for size, step, space, taps, extra, target in axes:
        total = step * (size - 1) + extra + (taps - 1) * space + 1 - target
        half = max(total, 0) // 2
        rest = max(total, 0) - half
        cut.append((half, rest) if mode == "SAME_UPPER" else (rest, half))
        added.append(extra + max(-total, 0))
    return tuple(cut), tuple(added)

"""Padding. The page: https://onnx.ai/onnx/operators/onnx__Pad.html"""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.value import Value

from ...functions import pad as padded
from ...functions.padding import PaddingMode
from .call import Call
from .table import converts

Widths = Sequence[tuple[int, int]]
"""Elements before and after each axis; where negative, elements are taken away."""

_MODES: dict[str, PaddingMode] = {
    "constant": "constant",
    "edge": "replicate",
    "reflect": "reflect",
    "wrap": "circular",
}


@converts("Pad", since=1)
def pad_attributes(call: Call) -> Value:
    """Up to opset 10 widths and value are attributes."""
    x = call.value(0)
    pads = call.attribute("pads", call.attribute("paddings"))
    widths = list(zip(pads[: x.rank], pads[x.rank :], strict=True))
    return pad(call, x, widths, call.attribute("value", 0.0))


@converts("Pad", since=11, static=(1, 2, 3))
def pad_operands(call: Call) -> Value:
    """Widths, value and axes are operands."""
    x, pads = call.value(0), call.ints(1)
    axes = [x.type.axis(a) for a in call.ints(3)] if call.has(3) else list(range(x.rank))
    widths = [(0, 0)] * x.rank
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        widths[axis] = (before, after)
    return pad(call, x, widths, call.number(2) if call.has(2) else 0)


def pad(call: Call, x: Value, widths: Widths, value: float) -> Value:
    """x padded in the mode of the node."""
    mode = call.attribute("mode", "constant")
    if mode not in _MODES:
        raise call.unsupported(f"mode {mode!r}")
    return padded(x, widths, value, _MODES[mode])

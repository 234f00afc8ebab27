"""Attributes of sliding windows, as ONNX gives them."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import SizeError
from raygrad.proto.value import Value

from .call import Call

Sides = tuple[tuple[int, int], ...]
"""Elements before and after each spatial axis."""


def per_axis(call: Call, name: str, count: int) -> tuple[int, ...]:
    """A number for each spatial axis, 1 by default."""
    return tuple(call.attribute(name, (1,) * count))


def sides(call: Call, x: Value, kernel: Sequence[int]) -> Sides:
    """The padding of windows over x: `pads`, or what `auto_pad` says.

    "SAME" pads so that there are ⌈size / stride⌉ windows, the odd element after (UPPER) or before (LOWER).
    """
    count = x.rank - 2
    mode = call.attribute("auto_pad", "NOTSET")
    if mode in ("", "NOTSET"):
        pads = call.attribute("pads", (0,) * (2 * count))
        return tuple(zip(pads[:count], pads[count:], strict=True))
    if mode == "VALID":
        return ((0, 0),) * count
    steps, spacing = per_axis(call, "strides", count), per_axis(call, "dilations", count)
    totals = map(_same, x.shape[2:], kernel, steps, spacing)
    return tuple((t // 2, t - t // 2) if mode == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals)


def _same(size: int | str, kernel: int, stride: int, dilation: int) -> int:
    reach = dilation * (kernel - 1) + 1
    if isinstance(size, str):
        if stride == 1:
            return reach - 1
        raise SizeError(f"auto_pad depends on the size {size!r}: give a number for it in `sizes`")
    return max((-(-size // stride) - 1) * stride + reach - size, 0)

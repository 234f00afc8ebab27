"""ATen operators that change a tensor's dtype or only its storage."""

from __future__ import annotations

from typing import Any

from raygrad.proto.value import Value

from .registry import Call, aten


@aten("detach.default")
def detach(call: Call, x: Value) -> Value:
    return x.detach()


@aten(
    "_to_copy.default",
    "to.dtype",
    "to.dtype_layout",
    "to.device",
    "clone.default",
    "alias.default",
    "contiguous.default",
    "lift_fresh_copy.default",
)
def cast(call: Call, x: Value, *_: Any, **__: Any) -> Value:
    """The elements in the output's dtype; devices and memory formats are the workers' business."""
    return x.astype(call.out.dtype)


@aten("copy.default")
def copy(call: Call, x: Value, source: Value, non_blocking: bool = False) -> Value:
    """The elements of `source` in the shape and dtype of x."""
    return source.astype(x.dtype).broadcast_to(x.shape)

"""Padding: elements added around a value, by rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.operators.shape import Concatenate, Pad
from raygrad.proto.value import Value

from .node import node

PaddingMode = Literal["constant", "reflect", "replicate", "circular"]
"""What is added: one number, the elements mirrored at the edge (not repeated), the edge, or the other end."""


def pad(
    x: Value, widths: Sequence[tuple[int, int]], value: float = 0.0, mode: PaddingMode = "constant"
) -> Value:
    """x with (before, after) elements added to each axis; a negative width takes elements away.

    `value` is what `mode="constant"` adds. An axis of named size can only stay as it is.
    """
    if len(widths) != x.rank:
        raise TypeMismatchError(f"pad needs {x.rank} pairs of widths for {x.type}, got {len(widths)}")
    before, after = (tuple(max(w[side], 0) for w in widths) for side in (0, 1))
    if mode == "constant":
        return _cropped(node(Pad(before, after, value), x), widths)
    if mode not in _RULES:
        raise ConfigurationError(f"padding mode must be 'constant' or one of {[*_RULES]}, got {mode!r}")
    x = _cropped(x, widths) if mode == "circular" else x  # a circle closes over what is left of the axis
    for axis, (low, high) in enumerate(zip(before, after, strict=True)):
        if low or high:
            x = _RULES[mode](x, axis, low, high)
    return x if mode == "circular" else _cropped(x, widths)


def _cropped(x: Value, widths: Sequence[tuple[int, int]]) -> Value:
    """x without what negative widths take away."""
    for axis, (before, after) in enumerate(widths):
        if before < 0 or after < 0:
            size = _size(x, axis)
            x = _part(x, axis, max(-before, 0), size - max(-after, 0))
    return x


def _size(x: Value, axis: int) -> int:
    size = x.shape[axis]
    if isinstance(size, str):
        raise SizeError(f"pad cannot express another size than {size!r}: give a number for it")
    if not size:
        raise TypeMismatchError(f"axis {axis} of {x.type} has no element to pad with")
    return size


def _part(x: Value, axis: int, start: int, stop: int) -> Value:
    return x[(*[slice(None)] * axis, slice(start, stop))]


def _reversed(x: Value, axis: int) -> Value:
    return x[(*[slice(None)] * axis, slice(None, None, -1))]


def _joined(parts: Sequence[Value], axis: int) -> Value:
    present = [part for part in parts if part.shape[axis]]
    return present[0] if len(present) == 1 else node(Concatenate(axis), *present)


def _reflected(x: Value, axis: int, before: int, after: int) -> Value:
    """Mirrored as often as the widths want: once for each pass over the axis."""
    while before or after:
        size = _size(x, axis)
        if size == 1:
            return _replicated(x, axis, before, after)
        low, high = min(before, size - 1), min(after, size - 1)
        left = _reversed(_part(x, axis, 1, low + 1), axis)
        right = _reversed(_part(x, axis, size - 1 - high, size - 1), axis)
        x = _joined([left, x, right], axis)
        before, after = before - low, after - high
    return x


def _replicated(x: Value, axis: int, before: int, after: int) -> Value:
    size = _size(x, axis)
    first, last = _part(x, axis, 0, 1), _part(x, axis, size - 1, size)

    def repeated(edge: Value, count: int) -> Value:
        return edge.broadcast_to((*x.shape[:axis], count, *x.shape[axis + 1 :]))

    return _joined([repeated(first, before), x, repeated(last, after)], axis)


def _wrapped(x: Value, axis: int, before: int, after: int) -> Value:
    size = _size(x, axis)
    left, right = _part(x, axis, size - before % size, size), _part(x, axis, 0, after % size)
    whole = 1 + before // size + after // size
    return _joined([left, *([x] * whole if whole <= _FEW else [_tiled(x, axis, whole)]), right], axis)


_FEW = 8
"""Copies that are listed one by one."""


def _tiled(x: Value, axis: int, count: int) -> Value:
    front, size, behind = x.shape[:axis], _size(x, axis), x.shape[axis + 1 :]
    spread = x.reshape((*front, 1, size, *behind)).broadcast_to((*front, count, size, *behind))
    return spread.reshape((*front, count * size, *behind))


_RULES: dict[str, Callable[[Value, int, int, int], Value]] = {
    "reflect": _reflected,
    "replicate": _replicated,
    "circular": _wrapped,
}

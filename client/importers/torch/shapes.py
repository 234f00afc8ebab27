"""ATen operators that move elements: views, permutations, joining, cutting, padding.

Whatever only gives the elements another shape in C order takes the shape that torch says.
"""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import SizeError
from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten


@aten(
    "view.default",
    "_unsafe_view.default",
    "reshape.default",
    "flatten.using_ints",
    "unflatten.int",
    "unsqueeze.default",
    "squeeze.default",
    "squeeze.dim",
    "squeeze.dims",
)
def view(call: Call, x: Value, *_: object) -> Value:
    return x.reshape(call.shape)


@aten("expand.default")
def expand(call: Call, x: Value, *_: object, implicit: bool = False) -> Value:
    return x.broadcast_to(call.shape)


@aten("permute.default")
def permute(call: Call, x: Value, axes: Sequence[int]) -> Value:
    return x.transpose(axes)


@aten("transpose.int")
def transpose(call: Call, x: Value, first: int, second: int) -> Value:
    if not x.rank:
        return x
    order = list(range(x.rank))
    order[first], order[second] = order[second], order[first]
    return x.transpose(order)


@aten("t.default")
def t(call: Call, x: Value) -> Value:
    return x.T if x.rank == 2 else x


@aten("cat.default")
def cat(call: Call, xs: Sequence[Value], axis: int = 0) -> Value:
    # What torch calls legacy: empty vectors join anything.
    values = [x for x in call.operands(*xs) if x.shape != (0,)] or list(call.operands(xs[0]))
    return f.concatenate(values, axis)


@aten("stack.default")
def stack(call: Call, xs: Sequence[Value], axis: int = 0) -> Value:
    return f.stack(call.operands(*xs), axis)


@aten("split_with_sizes.default")
def split_with_sizes(call: Call, x: Value, sizes: Sequence[int], axis: int = 0) -> tuple[Value, ...]:
    return f.split(x, sizes, axis)


@aten("split.Tensor", "chunk.default")
def split(call: Call, x: Value, _: object, axis: int = 0) -> tuple[Value, ...]:
    at = x.type.axis(axis)
    return f.split(x, [number(t.shape[at]) for t in call.types if t], at)


@aten("unbind.int")
def unbind(call: Call, x: Value, axis: int = 0) -> tuple[Value, ...]:
    at = x.type.axis(axis)
    return tuple(_selected(x, at, i) for i in range(number(x.shape[at])))


@aten("select.int")
def select(call: Call, x: Value, axis: int, index: int) -> Value:
    return _selected(x, x.type.axis(axis), index)


@aten("slice.Tensor")
def slice_(
    call: Call, x: Value, axis: int = 0, start: int | None = None, end: Size | None = None, step: int = 1
) -> Value:
    at = x.type.axis(axis)
    if call.shape == x.shape:
        return x
    size = x.shape[at]
    stop = end if isinstance(end, int) and (isinstance(size, str) or end < size) else None
    return x[(*[slice(None)] * at, slice(start, stop, step))]


@aten("constant_pad_nd.default")
def constant_pad(call: Call, x: Value, widths: Sequence[int], value: float = 0.0) -> Value:
    pairs = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    full = [(0, 0)] * (x.rank - len(pairs)) + pairs
    cut = x[tuple(slice(max(-before, 0), -max(-after, 0) or None) for before, after in full)]
    return f.pad(cut, [(max(before, 0), max(after, 0)) for before, after in full], value)


def _selected(x: Value, axis: int, index: int) -> Value:
    return x[(*[slice(None)] * axis, index)]


def number(size: Size) -> int:
    """A size that must be a number."""
    if isinstance(size, str):
        raise SizeError(f"needs a number for {size!r}")
    return size

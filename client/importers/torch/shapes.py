"""ATen operators that move elements: views, permutations, joining, cutting, padding.

Whatever only gives the elements another shape in C order takes the shape that torch says.
"""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.errors import SizeError
from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from ... import functions as f
from ...functions.padding import PaddingMode
from .registry import Call, aten
from .windows import Numbers, batched

VIEWS = (
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
"""Operators that only give the elements another shape."""


@aten(*VIEWS)
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


@aten("repeat.default")
def repeat(call: Call, x: Value, repeats: Sequence[int]) -> Value:
    return f.tile(x, repeats)


@aten("flip.default")
def flip(call: Call, x: Value, axes: Sequence[int]) -> Value:
    return f.flip(x, tuple(axes)) if axes else x


@aten("roll.default")
def roll(call: Call, x: Value, shifts: Sequence[int], axes: Sequence[int] = ()) -> Value:
    return f.roll(x, tuple(shifts), tuple(axes)) if axes else f.roll(x, shifts[0])


@aten("tril.default")
def tril(call: Call, x: Value, diagonal: int = 0) -> Value:
    return f.tril(x, diagonal)


@aten("triu.default")
def triu(call: Call, x: Value, diagonal: int = 0) -> Value:
    return f.triu(x, diagonal)


@aten("diagonal.default")
def diagonal(call: Call, x: Value, offset: int = 0, first: int = 0, second: int = 1) -> Value:
    return f.diagonal(x, offset, first, second)


@aten("diag_embed.default")
def diag_embed(call: Call, x: Value, offset: int = 0, first: int = -2, second: int = -1) -> Value:
    return f.moveaxis(f.diag_embed(x, offset), (-2, -1), (first, second))


@aten("pixel_shuffle.default")
def pixel_shuffle(call: Call, x: Value, factor: int) -> Value:
    return f.pixel_shuffle(x, factor)


@aten("pixel_unshuffle.default")
def pixel_unshuffle(call: Call, x: Value, factor: int) -> Value:
    return f.pixel_unshuffle(x, factor)


@aten("unfold.default")
def unfold(call: Call, x: Value, axis: int, size: int, step: int) -> Value:
    return f.sliding_windows(x, axis, size, step)


@aten("im2col.default")
def im2col(
    call: Call, x: Value, kernel: Numbers, dilation: Numbers, padding: Numbers, stride: Numbers
) -> Value:
    return batched(x, 2, lambda x: f.unfold(x, kernel, stride, padding, dilation))


@aten("col2im.default")
def col2im(
    call: Call,
    x: Value,
    output: Numbers,
    kernel: Numbers,
    dilation: Numbers,
    padding: Numbers,
    stride: Numbers,
) -> Value:
    return batched(x, 1, lambda x: f.fold(x, output, kernel, stride, padding, dilation))


# -- padding --------------------------------------------------------------------------------------


@aten("constant_pad_nd.default")
def constant_pad(call: Call, x: Value, widths: Sequence[int], value: float = 0.0) -> Value:
    return f.pad(x, _widths(x, widths), float(value))


@aten("pad.default")
def pad(
    call: Call, x: Value, widths: Sequence[int], mode: PaddingMode = "constant", value: float | None = None
) -> Value:
    return f.pad(x, _widths(x, widths), float(value or 0.0), mode)


@aten(*(f"reflection_pad{count}d.default" for count in (1, 2, 3)))
def reflection_pad(call: Call, x: Value, widths: Sequence[int]) -> Value:
    return pad(call, x, widths, "reflect")


@aten(*(f"replication_pad{count}d.default" for count in (1, 2, 3)))
def replication_pad(call: Call, x: Value, widths: Sequence[int]) -> Value:
    return pad(call, x, widths, "replicate")


def _widths(x: Value, widths: Sequence[int]) -> list[tuple[int, int]]:
    """Torch's widths, which begin at the last axis, as (before, after) of each."""
    pairs = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    return [(0, 0)] * (x.rank - len(pairs)) + pairs


def _selected(x: Value, axis: int, index: int) -> Value:
    return x[(*[slice(None)] * axis, index)]


def number(size: Size) -> int:
    """A size that must be a number."""
    if isinstance(size, str):
        raise SizeError(f"needs a number for {size!r}")
    return size

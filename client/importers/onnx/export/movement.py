"""Movement of elements: cast, broadcast, reshape, slices, padding, joining."""

from __future__ import annotations

from raygrad.proto.operators import shape
from raygrad.proto.tensor import Size

from .table import exports
from .writer import Use, Writer

_END = (1 << 63) - 1


@exports(shape.Cast)
def cast(writer: Writer, op: shape.Cast, use: Use) -> str:
    return writer.cast(use.inputs[0], op.dtype)


@exports(shape.StopGradient)
def stop_gradient(writer: Writer, op: shape.StopGradient, use: Use) -> str:
    return writer.add("Identity", *use.inputs)


@exports(shape.Broadcast)
def broadcast(writer: Writer, op: shape.Broadcast, use: Use) -> str:
    return writer.add("Expand", *use.inputs, writer.shape(op.shape))


@exports(shape.Reshape)
def reshape(writer: Writer, op: shape.Reshape, use: Use) -> str:
    return writer.reshape(use.inputs[0], op.shape)


@exports(shape.Transpose)
def transpose(writer: Writer, op: shape.Transpose, use: Use) -> str:
    return writer.transpose(use.inputs[0], op.axes)


@exports(shape.Slice)
def slice_(writer: Writer, op: shape.Slice, use: Use) -> str:
    ends = [_end(*part) for part in zip(op.start, op.count, op.step, strict=True)]
    axes = range(len(op.start))
    return writer.add("Slice", *use.inputs, *map(writer.ints, (op.start, ends, axes, op.step)))


def _end(start: int, count: Size, step: int) -> int:
    """Where a slice ends: before the first element there is no place but −∞."""
    if isinstance(count, str):
        return _END
    end = start + count * step
    return end if end >= 0 else -_END


@exports(shape.Flip)
def flip(writer: Writer, op: shape.Flip, use: Use) -> str:
    backwards = [-1] * len(op.axes)
    parts = (backwards, [-_END] * len(op.axes), op.axes, backwards)
    return writer.add("Slice", *use.inputs, *map(writer.ints, parts)) if op.axes else use.inputs[0]


@exports(shape.Roll)
def roll(writer: Writer, op: shape.Roll, use: Use) -> str:
    """The last `shift` elements, then the others. `shift` wraps at the size, which may be a name."""
    axis, length = writer.ints([op.axis]), writer.length(use.x.shape[op.axis])
    at = writer.add("Mod", writer.ints([-op.shift]), writer.add("Max", length, writer.ints([1])))
    behind = writer.add("Slice", *use.inputs, at, writer.ints([_END]), axis)
    before = writer.add("Slice", *use.inputs, writer.ints([0]), at, axis)
    return writer.add("Concat", behind, before, axis=op.axis)


@exports(shape.Pad)
def pad(writer: Writer, op: shape.Pad, use: Use) -> str:
    value = writer.number(op.value, use.x)
    return writer.add("Pad", *use.inputs, writer.ints([*op.before, *op.after]), value)


@exports(shape.Concatenate)
def concatenate(writer: Writer, op: shape.Concatenate, use: Use) -> str:
    return writer.add("Concat", *use.inputs, axis=op.axis)


@exports(shape.Split)
def split(writer: Writer, op: shape.Split, use: Use) -> tuple[str, ...]:
    return writer.add_many("Split", len(op.sizes), *use.inputs, writer.ints(op.sizes), axis=op.axis)

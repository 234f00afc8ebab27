"""Shapes and movement of elements: what reads sizes, reshapes, cuts, joins and repeats.

Each function names the page of its operator, which gives the meaning of operands and attributes.
"""

from __future__ import annotations

import math

import numpy as np

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.tensor import Array, DType, Size, merged
from raygrad.proto.value import Value

from ...functions import concatenate as joined
from ...functions import pixel_shuffle, pixel_unshuffle
from ...functions import split as cut
from .call import Call
from .operand import Known, sizes_array
from .protos import dtype_of
from .table import Result, converts


def shape_of(operand: Value | Known) -> tuple[Size, ...]:
    """The sizes of an operand."""
    return operand.shape if isinstance(operand, Value) else operand.array.shape


@converts("Constant")
def constant(call: Call) -> Array:
    """https://onnx.ai/onnx/operators/onnx__Constant.html"""
    for name, dtype in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64)):
        if call.attribute(name) is not None:
            return np.array(call.attribute(name), dtype=dtype)
    if call.attribute("value_ints") is not None:
        return np.array(call.attribute("value_ints"), dtype=np.int64)
    value = call.attribute("value")
    if not isinstance(value, np.ndarray):
        raise call.unsupported("a value that is not a tensor")
    return value


@converts("Identity")
def identity(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__Identity.html"""
    return call.operand(0)


@converts("Shape")
def shape(call: Call) -> Array:
    """https://onnx.ai/onnx/operators/onnx__Shape.html"""
    sizes = shape_of(call.operand(0))
    return sizes_array(sizes[call.attribute("start", 0) : call.attribute("end", len(sizes))])


@converts("Size")
def size(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__Size.html"""
    sizes = shape_of(call.operand(0))
    if any(isinstance(s, str) for s in sizes):
        return call.builder.size_of(sizes, DType.int64)
    return np.array(math.prod(s for s in sizes if isinstance(s, int)), dtype=np.int64)


@converts("Cast")
def cast(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Cast.html"""
    return cast_to(call.value(0), dtype_of(call.attribute("to"), "the target of Cast"))


@converts("CastLike")
def cast_like(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__CastLike.html"""
    return cast_to(call.value(0), call.value(1).dtype)


def cast_to(x: Value, dtype: DType) -> Value:
    """x in another dtype; as a bool, whether it is not zero."""
    return x.differs(0) if dtype is DType.bool and x.dtype is not DType.bool else x.astype(dtype)


# -- sizes --------------------------------------------------------------------------------------------


@converts("Reshape", static=(1,))
def reshape(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Reshape.html"""
    x, wanted = call.value(0), call.sizes(1)
    if not call.attribute("allowzero", 0):
        wanted = tuple(x.shape[i] if s == 0 else s for i, s in enumerate(wanted))
    return x.reshape(wanted)


@converts("Flatten")
def flatten(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Flatten.html"""
    x = call.value(0)
    axis = call.attribute("axis", 1)
    at = axis + x.rank if axis < 0 else axis
    rows, columns = merged(x.shape[:at]), merged(x.shape[at:])
    if rows is None and columns is None:
        raise SizeError(f"Flatten of {x.type} at axis {axis} cannot be expressed: give numbers in `sizes`")
    return x.reshape((-1 if rows is None else rows, -1 if columns is None else columns))


@converts("Squeeze", static=(1,))
def squeeze(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Squeeze.html"""
    x, axes = call.value(0), call.axes(1)
    ones = [i for i, s in enumerate(x.shape) if s == 1]
    dropped = set(ones if axes is None else x.type.axes(axes))
    if any(x.shape[i] != 1 for i in dropped):
        raise TypeMismatchError(f"{x.type} is not of size 1 along the axes {axes}")
    return x.reshape([s for i, s in enumerate(x.shape) if i not in dropped])


@converts("Unsqueeze", static=(1,))
def unsqueeze(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Unsqueeze.html"""
    x, axes = call.value(0), call.axes(1, ())
    assert axes is not None
    rank = x.rank + len(axes)
    new = {axis_of(a, rank) for a in axes}
    sizes = iter(x.shape)
    return x.reshape([1 if i in new else next(sizes) for i in range(rank)])


@converts("Expand", static=(1,))
def expand(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Expand.html"""
    x = call.value(0)
    return x.broadcast_to(broadcast_shapes(x.shape, call.sizes(1)))


@converts("ConstantOfShape", static=(0,))
def constant_of_shape(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__ConstantOfShape.html"""
    value = call.attribute("value", np.zeros(1, np.float32))
    return call.builder.constant(value.reshape(())).broadcast_to(call.sizes(0))


@converts("Transpose")
def transpose(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Transpose.html"""
    return call.value(0).transpose(call.attribute("perm"))


@converts("Range", static=(0, 1, 2))
def range_(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Range.html, computed while the model is read."""
    bounds = [call.static(at) for at in range(3)]
    raise SizeError(f"Range over {[b.tolist() for b in bounds]} has no known size, or too many elements")


@converts("NonZero", static=(0,))
def non_zero(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__NonZero.html, computed while the model is read."""
    raise SizeError(f"NonZero of {call.static(0).tolist()} depends on named sizes: give numbers in `sizes`")


@converts("Tile", static=(1,))
def tile(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Tile.html"""
    x, repeats = call.value(0), call.ints(1)
    if min(repeats, default=0) < 0:
        raise TypeMismatchError(f"Tile by {repeats}, of which some are negative")
    spread = [part for size in x.shape for part in (1, size)]
    target = [part for size, count in zip(x.shape, repeats, strict=True) for part in (count, size)]
    sizes = [merged((size, count)) for size, count in zip(x.shape, repeats, strict=True)]
    if any(size is None for size in sizes):
        raise SizeError(f"Tile of {x.type} by {repeats} cannot be expressed: give numbers in `sizes`")
    return x.reshape(spread).broadcast_to(target).reshape([size for size in sizes if size is not None])


@converts("DepthToSpace")
def depth_to_space(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__DepthToSpace.html; "DCR": the places of a block come first."""
    x, block = call.value(0), call.attribute("blocksize")
    by_channel = call.attribute("mode", "DCR") == "CRD"
    return pixel_shuffle(x if by_channel else _channels_swapped(x, block * block), block)


@converts("SpaceToDepth")
def space_to_depth(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html; "DCR": the places of a block come first."""
    x, block = call.value(0), call.attribute("blocksize")
    y = pixel_unshuffle(x, block)
    by_channel = call.attribute("mode", "DCR") == "CRD"
    return y if by_channel else _channels_swapped(y, x.type.of_shape(x.shape[1:2]).static[0])


def _channels_swapped(x: Value, outer: int) -> Value:
    """Channels counted as (outer, inner) as (inner, outer)."""
    images = x.reshape((x.shape[0], outer, -1, *x.shape[2:]))
    return images.transpose((0, 2, 1, 3, 4)).reshape(x.shape)


# -- parts --------------------------------------------------------------------------------------------


@converts("Concat")
def concat(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Concat.html"""
    return joined(call.values(), call.attribute("axis", 1))


@converts("Split", static=(1,))
def split(call: Call) -> tuple[Value, ...]:
    """https://onnx.ai/onnx/operators/onnx__Split.html"""
    x = call.value(0)
    axis = x.type.axis(call.attribute("axis", 0))
    return cut(x, split_sizes(call, x.shape[axis]), axis)


def split_sizes(call: Call, size: Size) -> tuple[int, ...]:
    """The sizes of the parts: given, or equal, the last one smaller if it must be."""
    if call.has(1):
        return call.ints(1)
    if (given := call.attribute("split")) is not None:
        return tuple(given)
    if isinstance(size, str):
        raise SizeError(f"Split of the size {size!r} into equal parts: give a number for it in `sizes`")
    count = call.attribute("num_outputs", len(call.node.outputs))
    if count != len(call.node.outputs):
        raise TypeMismatchError(f"Split has {len(call.node.outputs)} outputs, and num_outputs={count}")
    part = -(-size // count)
    return tuple(min(part, size - i * part) for i in range(count))


@converts("Slice", static=(1, 2, 3, 4))
def slice_(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Slice.html"""
    x = call.value(0)
    index = [slice(None)] * x.rank
    for axis, part in slices_of(call, x.rank):
        index[axis] = _whole_if_named(x.shape[axis], part)
    return x[tuple(index)]


def _whole_if_named(size: Size, part: slice) -> slice:
    """Up to what converters write for "until the end", a named axis is taken whole."""
    until_end = isinstance(part.stop, int) and part.stop >= _END
    return slice(part.start, None, part.step) if isinstance(size, str) and until_end else part


_END = 1_000_000_000
"""An end from here on means the end of the axis: tf2onnx writes this, others the largest int32 or int64."""


def slices_of(call: Call, rank: int) -> list[tuple[int, slice]]:
    """(axis, part) of each axis that is cut."""
    if call.has(1):
        starts, ends = call.sizes(1), call.sizes(2)
        axes = call.ints(3) if call.has(3) else tuple(range(len(starts)))
        steps = call.ints(4) if call.has(4) else (1,) * len(starts)
    else:
        starts, ends = call.attribute("starts"), call.attribute("ends")
        axes, steps = call.attribute("axes", tuple(range(len(starts)))), (1,) * len(starts)
    parts = map(_part, starts, ends, steps)
    return [(axis_of(axis, rank), part) for axis, part in zip(axes, parts, strict=True)]


def axis_of(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    if not -rank <= axis < rank:
        raise TypeMismatchError(f"axis {axis} does not exist among {rank}")
    return axis % rank


def _part(start: Size, end: Size, step: int) -> slice:
    """A slice as NumPy has it: an end before the first element is None where steps go back."""
    if isinstance(start, str) or isinstance(end, str):
        raise SizeError(f"Slice from {start} to {end} depends on named sizes: give numbers in `sizes`")
    return slice(start, None if step < 0 and end <= -_END else end, step)

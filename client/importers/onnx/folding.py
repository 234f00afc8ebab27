"""Operators on arrays that are known while a model is read: how shapes are computed from shapes.

Elements may be names of sizes: operators that only move elements carry them along, and arithmetic that a
name cannot pass is left for run time. The meanings are those of https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from raygrad.proto.errors import SizeError
from raygrad.proto.tensor import Array, DType

from .operand import Known
from .protos import DTYPES
from .symbolic import symbolic_binary
from .table import Result

if TYPE_CHECKING:
    from .call import Call

MOST_ELEMENTS = 1 << 20
"""Larger results are computed at run time instead."""
MOST_IN_ALL = 1 << 26
"""Once the results of a model have so many elements together, the others are computed at run time, too."""

Fold = Callable[..., Any]


def fold(call: Call) -> Result | None:
    """The result on known arrays; None if one is not known or differentiated, or the operator is not here."""
    function = FOLDS.get(call.node.operator) if call.node.domain == "" else None
    if function is None or not call.operands or not all(map(_foldable, call.operands)):
        return None
    if call.conversion.folded > MOST_IN_ALL:
        return None
    arrays = [o.array if isinstance(o, Known) else None for o in call.operands]
    with np.errstate(all="ignore"):
        result = function(call, *arrays)
    if result is None:
        return None
    results = tuple(map(_array, result if isinstance(result, tuple) else (result,)))
    call.conversion.folded += sum(array.size for array in results)
    return results


def _array(result: Any) -> Array:
    """A result as an array: an element that NumPy takes out of an array of sizes may be a name."""
    return np.array(result, dtype=object) if isinstance(result, str) else np.asarray(result)


def _foldable(operand: object) -> bool:
    return operand is None or (
        isinstance(operand, Known) and not operand.parameter and operand.array.size <= MOST_ELEMENTS
    )


# -- moving elements: names are carried along ---------------------------------------------------------


def _constant_of_shape(call: Call, shape: Array) -> Array | None:
    if shape.dtype == object or math.prod(shape.tolist()) > MOST_ELEMENTS:
        return None
    value = call.attribute("value")
    return np.full(shape.tolist(), np.float32(0) if value is None else value.reshape(()))


def _expand(call: Call, x: Array, shape: Array) -> Array | None:
    if shape.dtype == object:
        return None
    target = np.broadcast_shapes(x.shape, tuple(shape.tolist()))
    return np.broadcast_to(x, target) if math.prod(target) <= MOST_ELEMENTS else None


def _reshape(call: Call, x: Array, shape: Array) -> Array | None:
    if shape.dtype == object:
        return None
    target = shape.tolist()
    if not call.attribute("allowzero", 0):
        target = [x.shape[i] if s == 0 else s for i, s in enumerate(target)]
    return x.reshape(target)


def _gather(call: Call, x: Array, indices: Array) -> Array | None:
    axis = call.attribute("axis", 0)
    if x.size // (x.shape[axis] or 1) * indices.size > MOST_ELEMENTS:
        return None
    return np.take(x, indices.astype(np.int64), axis=axis)


def _concat(call: Call, *arrays: Array) -> Array | None:
    if sum(a.size for a in arrays) > MOST_ELEMENTS:
        return None
    return np.concatenate(arrays, axis=call.attribute("axis", 1))


def _unsqueeze(call: Call, x: Array, *_: Array) -> Array:
    axes = call.axes(1)
    return np.expand_dims(x, axes or ())


def _squeeze(call: Call, x: Array, *_: Array) -> Array:
    return np.squeeze(x, axis=call.axes(1))


def _slice(call: Call, x: Array, *_: Array) -> Array:
    from .shapes import slices_of

    index = [slice(None)] * x.ndim
    for axis, part in slices_of(call, x.ndim):
        index[axis] = part
    return x[tuple(index)]


def _split(call: Call, x: Array, *_: Array) -> tuple[Array, ...]:
    from .shapes import split_sizes

    axis = call.attribute("axis", 0)
    sizes = split_sizes(call, x.shape[axis])
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis=axis))


def _where(call: Call, condition: Array, a: Array, b: Array) -> Array | None:
    return np.where(condition, a, b) if _fits(condition, a, b) else None


def _fits(*arrays: Array) -> bool:
    """Whether arrays that broadcast have few elements together."""
    return math.prod(np.broadcast_shapes(*(a.shape for a in arrays))) <= MOST_ELEMENTS


def _tile(call: Call, x: Array, repeats: Array) -> Array | None:
    if repeats.dtype == object or x.size * math.prod(repeats.tolist()) > MOST_ELEMENTS:
        return None
    return np.tile(x, tuple(repeats.tolist()))


def _transpose(call: Call, x: Array) -> Array:
    return np.transpose(x, call.attribute("perm"))


# -- computing: names pass where they need not be known -----------------------------------------------


def _binary(name: str, ufunc: Callable[[Array, Array], Array]) -> Fold:
    def run(call: Call, a: Array, b: Array) -> Array | None:
        if not _fits(a, b):
            return None
        if object in (a.dtype, b.dtype):
            return symbolic_binary(name, a, b)
        result: Array = ufunc(a, b)
        return result

    return run


def _unary(ufunc: Callable[[Array], Array]) -> Fold:
    def run(call: Call, x: Array) -> Array | None:
        return None if x.dtype == object else np.asarray(ufunc(x)).astype(x.dtype)

    return run


def _divide(a: Array, b: Array) -> Array:
    """Integers divide toward zero."""
    if not np.issubdtype(a.dtype, np.integer):
        return np.asarray(np.divide(a, b))
    if not np.all(b):
        raise SizeError("an integer is divided by 0")
    quotient = np.floor_divide(np.abs(a), np.abs(b))
    return np.asarray(np.where(np.less(a, 0) != np.less(b, 0), -quotient, quotient))


def _cast(call: Call, x: Array, *_: Array) -> Array | None:
    target = DTYPES.get(call.attribute("to"))
    if x.dtype == object:  # names stay names in any dtype that can hold sizes
        return x if target in (DType.int64, DType.int32) else None
    return None if target is None else x.astype(target.numpy)


def _cast_like(call: Call, x: Array, like: Array) -> Array | None:
    if x.dtype == object:
        return x if like.dtype in (object, np.int64) else None
    return x.astype(np.int64 if like.dtype == object else like.dtype)


def _variadic(name: str, ufunc: Callable[[Array, Array], Array]) -> Fold:
    step = _binary(name, ufunc)

    def run(call: Call, *arrays: Array) -> Array | None:
        result: Array | None = arrays[0]
        for array in arrays[1:]:
            result = None if result is None else step(call, result, array)
        return result

    return run


def _mod(a: Array, b: Array) -> Array:
    if not np.all(b):
        raise SizeError("an integer is divided by 0")
    return np.asarray(np.mod(a, b))


def _range(call: Call, start: Array, limit: Array, delta: Array) -> Array | None:
    if object in (start.dtype, limit.dtype, delta.dtype):
        return None
    count = max(math.ceil((limit.item() - start.item()) / delta.item()), 0)
    if count > MOST_ELEMENTS:
        return None
    return np.asarray(start + np.arange(count) * delta).astype(start.dtype)


def _reduce(ufunc: np.ufunc) -> Fold:
    def run(call: Call, x: Array, *_: Array) -> Array | None:
        if x.dtype == object:
            if x.shape != (1,):
                return None
            return x if call.attribute("keepdims", 1) else x.reshape(())
        axes = call.axes(1)
        if not axes and call.attribute("noop_with_empty_axes", 0):
            return x
        result = ufunc.reduce(x, axis=axes or None, keepdims=bool(call.attribute("keepdims", 1)))
        return np.asarray(result).astype(x.dtype)

    return run


def _non_zero(call: Call, x: Array) -> Array | None:
    return None if x.dtype == object else np.array(np.nonzero(x), dtype=np.int64)


FOLDS: dict[str, Fold] = {
    "Abs": _unary(np.abs),
    "Add": _binary("Add", np.add),
    "And": _binary("And", np.logical_and),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Ceil": _unary(np.ceil),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _binary("Div", _divide),
    "Equal": _binary("Equal", np.equal),
    "Expand": _expand,
    "Floor": _unary(np.floor),
    "Gather": _gather,
    "Greater": _binary("Greater", np.greater),
    "GreaterOrEqual": _binary("GreaterOrEqual", np.greater_equal),
    "Identity": lambda call, x: x,
    "Less": _binary("Less", np.less),
    "LessOrEqual": _binary("LessOrEqual", np.less_equal),
    "Max": _variadic("Max", np.maximum),
    "Min": _variadic("Min", np.minimum),
    "Mod": _binary("Mod", _mod),
    "Mul": _binary("Mul", np.multiply),
    "Neg": _unary(np.negative),
    "NonZero": _non_zero,
    "Not": _unary(np.logical_not),
    "Or": _binary("Or", np.logical_or),
    "Range": _range,
    "ReduceMax": _reduce(np.maximum),
    "ReduceMin": _reduce(np.minimum),
    "ReduceProd": _reduce(np.multiply),
    "ReduceSum": _reduce(np.add),
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _unary(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _binary("Sub", np.subtract),
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}

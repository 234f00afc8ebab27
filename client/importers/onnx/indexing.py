"""Elements at places that are computed. Each function names the page of its operator.

ONNX counts places from the back where they are negative.
"""

from __future__ import annotations

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.tensor import DType, Size
from raygrad.proto.value import Value

from ... import functions as f
from ...functions.creation import places as places_along
from ...functions.indexing import hot_within
from ...functions.scattering import Reduce
from .call import Call
from .operand import Known
from .protos import dtype_of
from .table import Result, converts


def from_front(call: Call, at: int, size: Size) -> Value:
    """Operand `at`, places along an axis of `size` elements, counted from the front."""
    operand, places = call.operand(at), call.value(at)
    known = isinstance(operand, Known) and not operand.symbolic and operand.array.min(initial=0) >= 0
    return places if known else f.where(places < 0, places + size_like(places, size), places)


def size_like(x: Value, size: Size) -> Value:
    """A size, number or name, as a scalar of the dtype of x."""
    return x.builder.size_of((size,), x.dtype)


@converts("Gather")
def gather(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Gather.html"""
    x = call.value(0)
    axis = x.type.axis(call.attribute("axis", 0))
    return f.take(x, from_front(call, 1, x.shape[axis]), axis)


@converts("GatherElements")
def gather_elements(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__GatherElements.html"""
    x = call.value(0)
    axis = x.type.axis(call.attribute("axis", 0))
    return f.gather(x, from_front(call, 1, x.shape[axis]), axis)


@converts("GatherND")
def gather_nd(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__GatherND.html"""
    return f.gather_nd(call.value(0), call.value(1), call.attribute("batch_dims", 0))


@converts("Scatter", "ScatterElements")
def scatter_elements(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__ScatterElements.html"""
    x, updates = call.value(0), call.value(2)
    axis = x.type.axis(call.attribute("axis", 0))
    places = from_front(call, 1, x.shape[axis])
    reduction = call.attribute("reduction", "none")
    if reduction == "none":
        return f.scatter(x, places, updates, axis)
    if reduction == "add":
        return f.scatter_add(x, places, updates, axis)
    if reduction not in _REDUCE:
        raise call.unsupported(f"reduction {reduction!r}")
    return f.scatter_reduce(x, places, updates, axis, _REDUCE[reduction])


_REDUCE: dict[str, Reduce] = {"mul": "prod", "max": "amax", "min": "amin"}


@converts("ScatterND")
def scatter_nd(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__ScatterND.html"""
    return f.scatter_nd(call.value(0), call.value(1), call.value(2), call.attribute("reduction", "none"))


@converts("ArgMax", "ArgMin")
def arg_extremum(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__ArgMax.html, https://onnx.ai/onnx/operators/onnx__ArgMin.html"""
    x = call.value(0)
    axis = x.type.axis(call.attribute("axis", 0))
    find = f.argmax if call.node.operator == "ArgMax" else f.argmin
    kept = bool(call.attribute("keepdims", 1))
    if not call.attribute("select_last_index", 0):
        return find(x, axis, kept)
    from_back = find(f.flip(x, axis), axis, kept)
    return size_like(from_back, x.shape[axis]) - 1 - from_back


@converts("TopK", static=(1,))
def top_k(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__TopK.html"""
    count = call.ints(1)[0] if call.has(1) else call.attribute("k")
    return f.topk(call.value(0), count, call.attribute("axis", -1), bool(call.attribute("largest", 1)))


@converts("OneHot", static=(1,))
def one_hot(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__OneHot.html; a place outside of the axis gives no hot element."""
    depth, values = call.ints(1)[0], call.value(2)
    places = call.value(0).astype(DType.int64)
    places = f.where(places < 0, places + depth, places)
    hot = hot_within(places, depth, call.attribute("axis", -1))
    return f.where(hot, values[1], values[0])


@converts("CumSum", "CumProd", static=(1,))
def scan(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__CumSum.html, https://onnx.ai/onnx/operators/onnx__CumProd.html"""
    function = f.cumsum if call.node.operator == "CumSum" else f.cumprod
    backwards, exclusive = bool(call.attribute("reverse", 0)), bool(call.attribute("exclusive", 0))
    return function(call.value(0), call.ints(1)[0], backwards, exclusive)


@converts("Trilu", static=(1,))
def trilu(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Trilu.html"""
    offset = call.ints(1)[0] if call.has(1) else 0
    return (f.triu if call.attribute("upper", 1) else f.tril)(call.value(0), offset)


@converts("EyeLike")
def eye_like(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__EyeLike.html"""
    x = call.value(0)
    if x.rank != 2:
        raise TypeMismatchError(f"EyeLike needs a matrix, got {x.type}")
    dtype = dtype_of(call.attribute("dtype"), "EyeLike") if call.attribute("dtype") else x.dtype
    rows, columns = places_along(call.builder, x.shape[0]), places_along(call.builder, x.shape[1])
    return (columns - rows.reshape((x.shape[0], 1))).equals(call.attribute("k", 0)).astype(dtype)

"""Reductions. The pages: https://onnx.ai/onnx/operators/onnx__<Operator>.html"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import converts

Axes = tuple[int, ...]
Reduce = Callable[[Value, Axes], Value]


def _largest(x: Value, axes: Axes) -> Value:
    if x.dtype is DType.bool:
        return f.any(x, axes, True)
    return _of_nothing(x, axes, -1) if _is_empty(x, axes) else x.max(axes, True)


def _smallest(x: Value, axes: Axes) -> Value:
    if x.dtype is DType.bool:
        return f.all(x, axes, True)
    return _of_nothing(x, axes, 1) if _is_empty(x, axes) else x.min(axes, True)


def _is_empty(x: Value, axes: Axes) -> bool:
    return any(x.shape[a] == 0 for a in axes)


def _of_nothing(x: Value, axes: Axes, sign: int) -> Value:
    """The extremum of no elements: what changes no other when it is compared with it."""
    if x.dtype.is_floating:
        bound = np.array(sign * np.inf).astype(x.dtype.numpy)
    else:
        limits = np.iinfo(x.dtype.value)
        bound = np.array(limits.max if sign > 0 else limits.min, dtype=x.dtype.numpy)
    return x.builder.constant(bound).broadcast_to(x.type.kept(axes))


def _log_sum_exp(x: Value, axes: Axes) -> Value:
    return f.log(f.exp(x).sum(axes, True)) if _is_empty(x, axes) else f.logsumexp(x, axes, True)


REDUCTIONS: dict[str, Reduce] = {
    "ReduceL1": lambda x, axes: f.abs(x).sum(axes, True),
    "ReduceL2": lambda x, axes: f.norm(x, axes, True),
    "ReduceLogSum": lambda x, axes: f.log(x.sum(axes, True)),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _largest,
    "ReduceMean": lambda x, axes: x.mean(axes, True),
    "ReduceMin": _smallest,
    "ReduceProd": lambda x, axes: f.prod(x, axes, True),
    "ReduceSum": lambda x, axes: x.sum(axes, True),
    "ReduceSumSquare": lambda x, axes: x.square().sum(axes, True),
}

BESIDE: dict[str, Callable[[Value], Value]] = {
    "ReduceL1": f.abs,
    "ReduceL2": f.abs,
    "ReduceLogSum": f.log,
    "ReduceSumSquare": lambda x: x.square(),
}
"""What a reduction over no axes still does with each element; the others leave it as it is."""


def _reduction(name: str, reduce: Reduce) -> Callable[[Call], Value]:
    def convert(call: Call) -> Value:
        x, axes = call.value(0), call.axes(1)
        no_axes = not axes and call.attribute("noop_with_empty_axes", 0)
        chosen = () if no_axes else x.type.axes(axes) if axes else tuple(range(x.rank))
        if not chosen:
            return BESIDE[name](x) if name in BESIDE else x
        kept = reduce(x, chosen)
        return kept if call.attribute("keepdims", 1) else kept.reshape(x.type.without(chosen).shape)

    return convert


for _name, _reduce in REDUCTIONS.items():
    converts(_name, static=(1,))(_reduction(_name, _reduce))

"""Reductions, scans and sorting."""

from __future__ import annotations

from raygrad.proto.operators import reduction, scan, sorting
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import DType

from .table import exports
from .writer import Use, Writer

REDUCTIONS: dict[type[Operator], str] = {
    reduction.LogSumExp: "ReduceLogSumExp",
    reduction.Max: "ReduceMax",
    reduction.Min: "ReduceMin",
    reduction.Prod: "ReduceProd",
    reduction.Sum: "ReduceSum",
}


@exports(*REDUCTIONS)
def reduce(writer: Writer, op: reduction.Reduction, use: Use) -> str:
    return _reduced(writer, REDUCTIONS[type(op)], use.inputs[0], op.axes)


def _reduced(writer: Writer, operator: str, x: str, axes: tuple[int, ...]) -> str:
    return writer.add(operator, x, writer.ints(axes), keepdims=0, noop_with_empty_axes=1)


@exports(reduction.AllTrue, reduction.AnyTrue)
def truth(writer: Writer, op: reduction.Truth, use: Use) -> str:
    operator = "ReduceMin" if isinstance(op, reduction.AllTrue) else "ReduceMax"
    number = _reduced(writer, operator, writer.cast(use.inputs[0], DType.int32), op.axes)
    return writer.cast(number, DType.bool)


@exports(sorting.ArgMax, sorting.ArgMin)
def arg_extremum(writer: Writer, op: sorting.ArgExtremum, use: Use) -> str:
    return writer.add(op.name, *use.inputs, axis=op.axis, keepdims=0)


@exports(sorting.TopK)
def top_k(writer: Writer, op: sorting.TopK, use: Use) -> tuple[str, ...]:
    return writer.add_many(
        "TopK", 2, *use.inputs, writer.length(op.k), axis=op.axis, largest=int(op.largest), sorted=1
    )


@exports(scan.CumSum)
def cum_sum(writer: Writer, op: scan.CumSum, use: Use) -> str:
    axis = writer.reshape(writer.ints([op.axis]), ())
    return writer.add("CumSum", *use.inputs, axis, reverse=int(op.reverse), exclusive=int(op.exclusive))

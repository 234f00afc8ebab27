"""Elements at integer indices."""

from __future__ import annotations

from raygrad.proto.operators import indexing, scatter
from raygrad.proto.tensor import DType

from .table import exports
from .writer import Use, Writer


@exports(indexing.Gather)
def gather(writer: Writer, op: indexing.Gather, use: Use) -> str:
    return writer.add("GatherElements", use.inputs[0], _places(writer, use), axis=op.axis)


@exports(indexing.GatherGrad)
def gather_grad(writer: Writer, op: indexing.GatherGrad, use: Use) -> str:
    """Added to zeros; forward passes have it as `scatter_add`."""
    updates, places = use.inputs[0], _places(writer, use)
    zeros = writer.add("Expand", writer.number(0, use.x), writer.shape(use.y.shape))
    return writer.add("ScatterElements", zeros, places, updates, axis=op.axis, reduction="add")


@exports(indexing.Take)
def take(writer: Writer, op: indexing.Take, use: Use) -> str:
    return writer.add("Gather", use.inputs[0], _places(writer, use), axis=op.axis)


@exports(scatter.Scatter)
def scatter_(writer: Writer, op: scatter.Scatter, use: Use) -> str:
    x, _, updates = use.inputs
    return writer.add("ScatterElements", x, _places(writer, use), updates, axis=op.axis)


@exports(scatter.ScatterReduce)
def scatter_reduce(writer: Writer, op: scatter.ScatterReduce, use: Use) -> str:
    x, _, updates = use.inputs
    places = _places(writer, use)
    return writer.add("ScatterElements", x, places, updates, axis=op.axis, reduction=op.reduction)


def _places(writer: Writer, use: Use) -> str:
    """The second input, indices, in one of the dtypes that ONNX takes."""
    if use.types[1].dtype in (DType.int64, DType.int32):
        return use.inputs[1]
    return writer.cast(use.inputs[1], DType.int64)

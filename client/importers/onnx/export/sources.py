"""Constants, counts and sizes."""

from __future__ import annotations

from raygrad.proto.operators.random import Dropout, RandomKey
from raygrad.proto.operators.source import Constant, Iota, SizeOf
from raygrad.proto.tensor import DType, TensorType

from .table import exports
from .writer import Use, Writer

_COUNT = TensorType((), DType.int64)


@exports(Constant)
def constant(writer: Writer, op: Constant, use: Use) -> str:
    return writer.constant(op.array)


@exports(Iota)
def iota(writer: Writer, op: Iota, use: Use) -> str:
    limit = writer.reshape(writer.length(op.size), ())
    numbers = writer.add("Range", writer.number(0, _COUNT), limit, writer.number(1, _COUNT))
    return numbers if op.dtype is DType.int64 else writer.cast(numbers, op.dtype)


@exports(SizeOf)
def size_of(writer: Writer, op: SizeOf, use: Use) -> str:
    product = writer.add("ReduceProd", writer.shape(op.sizes), keepdims=0)
    return product if op.dtype is DType.int64 else writer.cast(product, op.dtype)


@exports(RandomKey)
def random_key(writer: Writer, op: RandomKey, use: Use) -> str:
    """An evaluation's key: other runtimes draw random numbers of their own."""
    return writer.ints([-1, -1, -1, -1])


@exports(Dropout)
def dropout(writer: Writer, op: Dropout, use: Use) -> str:
    """As in an evaluation; the probability is there to be seen, and for training elsewhere."""
    return writer.add("Dropout", use.inputs[0], writer.number(op.p, use.x))

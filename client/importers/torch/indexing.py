"""ATen operators that read and write at integer indices."""

from __future__ import annotations

from raygrad.proto.operators.indexing import Take
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten


@aten("gather.default")
def gather(call: Call, x: Value, axis: int, indices: Value, *, sparse_grad: bool = False) -> Value:
    return f.gather(x, indices, axis)


@aten("embedding.default")
def embedding(
    call: Call,
    table: Value,
    indices: Value,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Value:
    return f.embedding(indices, table)


@aten("index_select.default")
def index_select(call: Call, x: Value, axis: int, indices: Value) -> Value:
    return x.builder.add(Take(x.type.axis(axis)), (x, indices))[0]

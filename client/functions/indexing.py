"""Elements and rows at integer indices."""

from __future__ import annotations

from raygrad.proto.operators import indexing
from raygrad.proto.value import Value

from .node import node


def gather(x: Value, indices: Value, axis: int) -> Value:
    """The elements of x at integer indices along `axis`; x and the indices agree in all other sizes.

    An index outside of the axis is a `KernelError` when the graph runs.
    """
    return node(indexing.Gather(x.type.axis(axis)), x, indices)


def embedding(indices: Value, table: Value) -> Value:
    """The rows of the table (rows, *) at integer indices (*places): (*places, *)."""
    return node(indexing.Take(0), table, indices)

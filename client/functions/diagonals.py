"""Diagonals and triangles of matrices, which lie in two axes (the last two by default)."""

from __future__ import annotations

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.operators import shape
from raygrad.proto.operators.elementwise import zero_where
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from .creation import places
from .node import node
from .shapes import moveaxis


def tril(x: Value, offset: int = 0) -> Value:
    """x on and below the diagonal `offset` places right of the main one, else 0."""
    return zero_where(_beyond(x, offset), x)


def triu(x: Value, offset: int = 0) -> Value:
    """x on and above the diagonal `offset` places right of the main one, else 0."""
    return zero_where(~_beyond(x, offset - 1), x)


def _beyond(x: Value, offset: int) -> Value:
    """Where column > row + offset."""
    if x.rank < 2:
        raise TypeMismatchError(f"a triangle needs a matrix, got {x.type}")
    rows, columns = (places(x.builder, size, DType.int64) for size in x.shape[-2:])
    return (columns > rows.reshape((*rows.shape, 1)) + offset).broadcast_to(x.shape)


def diagonal(x: Value, offset: int = 0, first: int = 0, second: int = 1) -> Value:
    """The elements with column = row + offset, rows along `first`, columns along `second`, as a last axis."""
    matrices = moveaxis(x, (first, second), (-2, -1))
    rows, columns = _numbers(matrices)
    start, step, count = _strided(rows, columns, offset)
    flat = matrices.reshape((*matrices.shape[:-2], rows * columns))
    whole = flat.rank - 1
    taken = shape.Slice((*(0,) * whole, start), (*flat.shape[:-1], count), (*(1,) * whole, step))
    return node(taken, flat)


def diag_embed(x: Value, offset: int = 0, first: int = -2, second: int = -1) -> Value:
    """Square matrices with the last axis of x on the diagonal column = row + offset, else 0.

    Their rows lie along the axis `first` of the result, their columns along `second`.
    """
    count = x.shape[-1] if x.rank else None
    if not isinstance(count, int):
        raise SizeError(f"diag_embed needs a last axis whose size is a number, got {x.type}")
    size = count + abs(offset)
    start, step, _ = _strided(size, size, offset)
    whole, sizes = x.rank - 1, x.shape[:-1]
    spread = shape.SliceGrad((*sizes, size * size), (*(0,) * whole, start), (*(1,) * whole, step))
    return moveaxis(node(spread, x).reshape((*sizes, size, size)), (-2, -1), (first, second))


def diag(x: Value, offset: int = 0) -> Value:
    """The diagonal of a matrix, or a matrix with a vector on its diagonal."""
    if x.rank not in (1, 2):
        raise TypeMismatchError(f"diag needs a vector or a matrix, got {x.type}")
    return diag_embed(x, offset) if x.rank == 1 else diagonal(x, offset)


def trace(x: Value) -> Value:
    """The sum of the main diagonal of a matrix."""
    return diagonal(x).sum(-1)


def _numbers(x: Value) -> tuple[int, int]:
    rows, columns = x.shape[-2:]
    if isinstance(rows, str) or isinstance(columns, str):
        raise SizeError(f"a diagonal needs numbers of rows and columns, got {x.type}")
    return rows, columns


def _strided(rows: int, columns: int, offset: int) -> tuple[int, int, int]:
    """Where a diagonal lies in a flattened matrix: start, step and count."""
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    start = offset if offset >= 0 else -offset * columns
    return (start if count else 0), columns + 1, count

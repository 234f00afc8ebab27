"""Elements at indices: taking, adding, setting; triangles and diagonals."""

from __future__ import annotations

from typing import Any

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter


def at_axis(name: str) -> Adapter:
    """gather(x, dim, index) and its like."""

    def call(x: Value, dim: int, index: Value, *others: Any, **named: Any) -> Value:
        if x.rank == 0:
            raise Declined("an axis of a scalar")
        return getattr(f, name)(x, index, *others, dim, **named)

    return call


def gather(x: Value, dim: int, index: Value) -> Value:
    if x.rank == 0:
        raise Declined("an axis of a scalar")
    return f.gather(x, index, dim)


def take_along_dim(x: Value, indices: Value, dim: int | None = None) -> Value:
    if dim is None:
        return f.gather(x.reshape((-1,)), indices.reshape((-1,)), 0)
    return f.gather(x, indices, dim)


def index_select(x: Value, dim: int, index: Value) -> Value:
    if x.rank == 0:
        raise Declined("an axis of a scalar")
    return f.take(x, index, dim)


def take(x: Value, index: Value) -> Value:
    return f.take(x.reshape((-1,)), index, 0)


def scatter(x: Value, dim: int, index: Value, src: Any) -> Value:
    if x.rank == 0:
        raise Declined("an axis of a scalar")
    return f.scatter(x, index, src, dim)


def scatter_add(x: Value, dim: int, index: Value, src: Value) -> Value:
    if x.rank == 0:
        raise Declined("an axis of a scalar")
    return f.scatter_add(x, index, src, dim)


def diagonal(x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    return f.diagonal(x, offset, dim1, dim2)


def tril(x: Value, diagonal: int = 0) -> Value:
    return f.tril(x, diagonal)


def triu(x: Value, diagonal: int = 0) -> Value:
    return f.triu(x, diagonal)


def one_hot(x: Value, num_classes: int = -1) -> Value:
    if num_classes < 0:
        raise Declined("a shape that depends on the data")
    return f.one_hot(x, num_classes)


ADAPTERS: dict[str, Adapter] = {
    "gather": gather,
    "take_along_dim": take_along_dim,
    "index_select": index_select,
    "take": take,
    "scatter": scatter,
    "scatter_add": scatter_add,
    "diagonal": diagonal,
    "tril": tril,
    "triu": triu,
    "nn.functional.one_hot": one_hot,
}

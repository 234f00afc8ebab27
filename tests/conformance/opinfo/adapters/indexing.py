"""Elements at indices: taking, adding, setting; triangles and diagonals."""

from __future__ import annotations

from typing import Any

from raygrad.client import functions as f
from raygrad.proto.tensor import DType
from raygrad.proto.value import Operand, Value
from tests.conformance.suite import Declined

from .common import Adapter, axis_of


def gather(x: Value, dim: int, index: Value) -> Value:
    if x.rank != index.rank:
        raise Declined("an index of no elements and of another rank")
    return f.gather(x, index, axis_of(x, dim))


def take_along_dim(x: Value, indices: Value, dim: int | None = None) -> Value:
    if dim is None:
        return f.take_along_axis(x.reshape((-1,)), indices.reshape((-1,)), 0)
    return f.take_along_axis(x, indices, dim)


def take(x: Value, index: Value) -> Value:
    """PyTorch's is that of the flattened tensor."""
    return f.take(x.reshape((-1,)), index, 0)


def index_select(x: Value, dim: int, index: Value) -> Value:
    return f.index_select(x, axis_of(x, dim), index)


def scatter(x: Value, dim: int, index: Value, src: Operand, *, reduce: str | None = None) -> Value:
    if reduce is not None:
        names = {"add": "sum", "multiply": "prod"}
        return f.scatter_reduce(x, index, src, axis_of(x, dim), names[reduce])
    return f.scatter(x, index, src, axis_of(x, dim))


def scatter_add(x: Value, dim: int, index: Value, src: Value) -> Value:
    return f.scatter_add(x, index, src, axis_of(x, dim))


def scatter_reduce(
    x: Value, dim: int, index: Value, src: Value, reduce: str, *, include_self: bool = True
) -> Value:
    return f.scatter_reduce(x, index, src, axis_of(x, dim), reduce, include_self)


def index_add(x: Value, dim: int, index: Value, source: Value, *, alpha: float = 1) -> Value:
    return f.index_add(x, axis_of(x, dim), index, source if alpha == 1 else source * alpha)


def index_copy(x: Value, dim: int, index: Value, source: Value) -> Value:
    return f.index_copy(x, axis_of(x, dim), index, source)


def index_fill(x: Value, dim: int, index: Value, value: Operand) -> Value:
    return f.index_fill(x, axis_of(x, dim), index, value)


def diagonal(x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    return f.diagonal(x, offset, dim1, dim2)


def linalg_diagonal(x: Value, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Value:
    return f.diagonal(x, offset, dim1, dim2)


def diag_embed(x: Value, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Value:
    if (dim1, dim2) != (-2, -1):
        raise Declined("a diagonal along other axes than the last two")
    return f.diag_embed(x, offset)


def triangle(name: str) -> Adapter:
    def call(x: Value, diagonal: int = 0) -> Value:
        return getattr(f, name)(x, diagonal)

    return call


def one_hot(x: Value, num_classes: int = -1) -> Value:
    if num_classes < 0:
        raise Declined("a shape that depends on the data")
    return f.one_hot(x, num_classes)


def item(x: Value, index: Any) -> Value:
    entries = index if isinstance(index, tuple) else (index,)
    if any(isinstance(entry, Value) and entry.dtype is DType.bool for entry in entries):
        raise Declined("a shape that depends on the data")
    return x[entries]


ADAPTERS: dict[str, Adapter] = {
    "gather": gather,
    "take_along_dim": take_along_dim,
    "index_select": index_select,
    "take": take,
    "scatter": scatter,
    "scatter_add": scatter_add,
    **{f"scatter_reduce/{name}": scatter_reduce for name in ("sum", "prod", "mean", "amin", "amax")},
    "index_add": index_add,
    "index_copy": index_copy,
    "index_fill": index_fill,
    "__getitem__": item,
    "diagonal": diagonal,
    "linalg.diagonal": linalg_diagonal,
    "diag_embed": diag_embed,
    "diag": triangle("diag"),
    "trace": lambda x: f.trace(x),
    "tril": triangle("tril"),
    "triu": triangle("triu"),
    "nn.functional.one_hot": one_hot,
}

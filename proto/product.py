"""The product `a @ b` as in NumPy: vectors, matrices, and batches of them that broadcast."""

from __future__ import annotations

from .errors import TypeMismatchError
from .operators.linear import MatMul
from .promotion import broadcast_shapes
from .value import Value


def matmul(a: Value, b: Value) -> Value:
    """The matrix product over the last axis of a and the last but one of b (or the only one of a vector)."""
    if not (a.rank and b.rank):
        raise TypeMismatchError(f"a matrix product needs at least vectors, got {a.type} and {b.type}")
    if a.rank == 1:
        product = matmul(a.reshape((1, *a.shape)), b)
        return product.reshape((*product.shape[:-2], product.shape[-1]) if b.rank > 1 else ())
    if b.rank == 1:
        product = matmul(a, b.reshape((*b.shape, 1)))
        return product.reshape(product.shape[:-1])
    return a.builder.add(MatMul(), (a, b) if b.rank == 2 else _same_batch(a, b))[0]


def _same_batch(a: Value, b: Value) -> tuple[Value, Value]:
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return a.broadcast_to((*batch, *a.shape[-2:])), b.broadcast_to((*batch, *b.shape[-2:]))

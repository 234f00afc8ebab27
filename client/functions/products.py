"""Products of vectors and matrices."""

from __future__ import annotations

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.value import Value


def dot(a: Value, b: Value) -> Value:
    """⟨a, b⟩ of two vectors of one size, as a scalar."""
    if a.rank != 1 or b.shape != a.shape:
        raise TypeMismatchError(f"dot needs two vectors of one size, got {a.type} and {b.type}")
    return (a * b).sum()


def linear(x: Value, weight: Value, bias: Value | None = None) -> Value:
    """x (*rows, in) times weight (in, out), plus bias (out,) if there is one: (*rows, out).

    The weight lies as it multiplies; PyTorch's (out, in) goes in as `weight.T`.
    """
    product = x @ weight
    return product if bias is None else product + bias

"""Products of vectors and matrices."""

from __future__ import annotations

from raygrad.proto.errors import SizeError, TypeMismatchError
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from .shapes import flatten


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
    return product if bias is None else _shifted(product, bias)


def matmul(a: Value, b: Value) -> Value:
    """a @ b: of vectors, matrices, and batches of them that broadcast, as NumPy's."""
    return a @ b


def mv(a: Value, b: Value) -> Value:
    """A matrix (m, n) times a vector (n): (m)."""
    if a.rank != 2 or b.rank != 1:
        raise TypeMismatchError(f"mv needs a matrix and a vector, got {a.type} and {b.type}")
    return a @ b


def vecdot(a: Value, b: Value, axis: int = -1) -> Value:
    """⟨a, b⟩ of vectors along `axis`; the others broadcast."""
    return (a * b).sum(axis)


def outer(a: Value, b: Value) -> Value:
    """All products of the elements of two vectors: (m, n)."""
    if a.rank != 1 or b.rank != 1:
        raise TypeMismatchError(f"outer needs two vectors, got {a.type} and {b.type}")
    return a.reshape((*a.shape, 1)) * b


def kron(a: Value, b: Value) -> Value:
    """The Kronecker product: each element of a times all of b, in the place of the element."""
    rank = max(a.rank, b.rank)
    first, second = ((*(1,) * (rank - v.rank), *v.shape) for v in (a, b))
    left = a.reshape([s for m in first for s in (m, 1)])
    product = left * b.reshape([s for n in second for s in (1, n)])
    sizes = zip(first, second, strict=True)
    return product.reshape([m if n == 1 else n if m == 1 else _times(m, n) for m, n in sizes])


def _times(a: Size, b: Size) -> int:
    if isinstance(a, str) or isinstance(b, str):
        raise SizeError(f"{a!r} · {b!r} cannot be expressed; give numbers for them")
    return a * b


def bilinear(a: Value, b: Value, weight: Value, bias: Value | None = None) -> Value:
    """Σ a[i] · weight[o, i, j] · b[j], plus bias (out,): (*rows, m) and (*rows, n) give (*rows, out)."""
    if weight.rank != 3 or a.shape[:-1] != b.shape[:-1]:
        raise TypeMismatchError(f"bilinear cannot multiply {a.type}, {weight.type} and {b.type}")
    outputs, _, columns = weight.shape
    table = flatten(weight.transpose((1, 0, 2)))
    partial = (a @ table).reshape((*a.shape[:-1], outputs, columns))
    product = (partial @ b.reshape((*b.shape, 1))).reshape((*a.shape[:-1], outputs))
    return product if bias is None else _shifted(product, bias)


def _shifted(x: Value, bias: Value) -> Value:
    """x plus a bias, which does not make it larger."""
    if broadcast_shapes(x.shape, bias.shape) != x.shape:
        raise TypeMismatchError(f"the bias {bias.type} does not broadcast to {x.type}")
    return x + bias

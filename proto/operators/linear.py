"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tensor import DType, Size, TensorType
from .base import Cotangents, Operator, require

if TYPE_CHECKING:
    from ..value import Value


class MatMul(Operator):
    """a′ b′ over the last two axes, where x′ is x, or its transpose if the attribute says so.

    The leading (batch) axes are equal; or b is a matrix that multiplies all of a's rows, and then a
    is not transposed. Transposing here costs no copy, and keeps the family closed under derivatives.
    """

    transpose_a: bool = False
    transpose_b: bool = False

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require(
            a.dtype is b.dtype and a.dtype is not DType.bool,
            self,
            f"needs numbers of one dtype, got {a} and {b}",
        )
        require(a.rank >= 2 and b.rank >= 2, self, f"needs matrices, got {a} and {b}")
        rows, inner = _matrix(a, self.transpose_a)
        contracted, columns = _matrix(b, self.transpose_b)
        require(inner == contracted, self, f"{a} and {b} differ in the size they contract")
        projects = b.rank == 2 and not (a.rank > 2 and self.transpose_a)
        require(projects or a.shape[:-2] == b.shape[:-2], self, f"{a} and {b} differ in their batch axes")
        return a.of_shape((*a.shape[:-2], rows, columns))

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        ta, tb = self.transpose_a, self.transpose_b
        by_a = MatMul(tb, True)(b, g) if ta else MatMul(False, not tb)(g, b)
        if a.rank > 2 and b.rank == 2:
            return by_a, MatMulSum()(g, a) if tb else MatMulSum()(a, g)
        return by_a, MatMul(True, ta)(g, a) if tb else MatMul(not ta, False)(a, g)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        inner = inputs[0].static[-2 if self.transpose_a else -1]
        return 2 * outputs[0].elements * inner


def _matrix(x: TensorType, transposed: bool) -> tuple[Size, Size]:
    rows, columns = x.shape[-2:]
    return (columns, rows) if transposed else (rows, columns)


class MatMulSum(Operator):
    """aᵀ b summed over all leading axes: (…, k) and (…, m) give (k, m). The derivative by a shared matrix."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require(
            a.dtype is b.dtype and a.dtype is not DType.bool,
            self,
            f"needs numbers of one dtype, got {a} and {b}",
        )
        require(
            a.rank >= 2 and a.shape[:-1] == b.shape[:-1], self, f"{a} and {b} differ in their leading axes"
        )
        return a.of_shape((a.shape[-1], b.shape[-1]))

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return MatMul(False, True)(b, g), MatMul()(a, g)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return 2 * inputs[0].elements * outputs[0].static[1]

"""Log-softmax and cross-entropy: fused, because logarithm after exponential overflows and loses digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tensor import DType, TensorType
from .base import Cotangents, Operator, floating, require
from .elementwise import Exp
from .indexing import Gather

if TYPE_CHECKING:
    from ..value import Value


class LogSoftmax(Operator):
    """x − log Σ eˣ, the sum along `axis` (counted from the front)."""

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        require(0 <= self.axis < x.rank, self, f"axis {self.axis} does not exist in {x}")
        return floating(self, x)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        if x.dtype.is_half:  # the sum of many cotangents is too large
            wide = [value.astype(DType.float32) for value in (g, y, x)]
            return tuple(None if c is None else c.astype(x.dtype) for c in self.vjp(*wide))
        total = g.sum(self.axis, keepdims=True).broadcast_to(x.shape)
        return (g - Exp()(y) * total,)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return 4 * outputs[0].elements


class LogLikelihood(Operator, abstract=True):
    """Logits x (*rows, C) and integer labels (*rows) below C; a label outside fails when the kernel runs."""

    def check(self, x: TensorType, labels: TensorType) -> TensorType:
        """The type of one number per row."""
        floating(self, x)
        fits = labels.dtype.is_integer and x.rank >= 1 and labels.shape == x.shape[:-1]
        require(fits, self, f"labels {labels} are not one integer for each row of the logits {x}")
        return x.of_shape(labels.shape)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return 4 * max(t.elements for t in (*inputs, *outputs))


class CrossEntropy(LogLikelihood):
    """−log softmax(x)[label] for each row: the cross-entropy with a label, in nats."""

    def infer(self, x: TensorType, labels: TensorType) -> TensorType:
        return self.check(x, labels)

    def vjp(self, g: Value, y: Value, x: Value, labels: Value) -> Cotangents:
        return CrossEntropyGrad()(g, x, labels), None


class CrossEntropyGrad(LogLikelihood):
    """g · (softmax(x) − one-hot(label)) for each row: the derivative of `CrossEntropy` by x."""

    def infer(self, g: TensorType, x: TensorType, labels: TensorType) -> TensorType:
        row = self.check(x, labels)
        require(g == row, self, f"needs one cotangent per row, {row}, got {g}")
        return x

    def vjp(self, gg: Value, out: Value, g: Value, x: Value, labels: Value) -> Cotangents:
        axis, row = x.rank - 1, (*labels.shape, 1)
        softmax = Exp()(LogSoftmax(axis)(x))
        expected = (gg * softmax).sum(axis, keepdims=True)
        at_label = Gather(axis)(gg, labels.reshape(row))
        by_g = (expected - at_label).reshape(g.shape)
        by_x = g.reshape(row).broadcast_to(x.shape) * softmax * (gg - expected.broadcast_to(x.shape))
        return by_g, by_x, None

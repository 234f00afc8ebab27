"""Batch normalization: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by
Reducing Internal Covariate Shift" (2015), https://arxiv.org/abs/1502.03167.

Everything is per channel: x is (N, C, *spatial), and weight, bias, mean and variance are (C,). The running
statistics are nobody's state: a training step returns each mini-batch's, and the client folds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tensor import TensorType
from .base import Cotangents, Operator, floating, plus, require
from .elementwise import Sqrt

if TYPE_CHECKING:
    from ..value import Value


class Normalization(Operator, abstract=True):
    """y = (x − mean) / √(variance + eps) · weight + bias."""

    eps: float

    def check(self, x: TensorType, *channels: TensorType) -> TensorType:
        """The type (C,) that weight, bias, mean and variance have."""
        floating(self, x)
        require(x.rank >= 2, self, f"needs (N, C, *spatial), got {x}")
        wanted = x.of_shape((x.shape[1],))
        for given in channels:
            require(given == wanted, self, f"needs {wanted} per channel of {x}, got {given}")
        return wanted

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Per element: centre, scale and shift, and with them the sums that the statistics take."""
        return 8 * inputs[0].elements


class BatchNorm(Normalization):
    """Training: (x, weight, bias) to (y, mean, variance) with the mini-batch's own biased statistics."""

    def infer(self, x: TensorType, weight: TensorType, bias: TensorType) -> tuple[TensorType, ...]:
        channel = self.check(x, weight, bias)
        return x, channel, channel

    def vjp(
        self, g: Sequence[Value | None], y: Sequence[Value], x: Value, weight: Value, bias: Value
    ) -> Cotangents:
        to_y, to_mean, to_variance = g
        _, mean, variance = y
        by_x, by_weight, by_bias = _fused(self, to_y, x, weight, mean, variance)
        if to_mean is not None:
            by_x = plus(_along(to_mean / _count(x), x), by_x)
        if to_variance is not None:
            by_x = plus((x - _along(mean, x)) * _along(2.0 * to_variance / _count(x), x), by_x)
        return by_x, by_weight, by_bias


def _fused(
    op: BatchNorm, g: Value | None, x: Value, weight: Value, mean: Value, variance: Value
) -> Cotangents:
    """What the cotangent of y alone sends back."""
    if g is None:
        return None, None, None
    by_x, by_weight, by_bias = BatchNormGrad(op.eps)(g, x, weight, mean, variance)
    return by_x, by_weight, by_bias


class BatchNormGrad(Normalization):
    """The derivative of `BatchNorm`'s y, its statistics included.

    (g, x, weight, mean, variance) to what goes back by x, weight and bias. With M elements per channel,
    s = 1/√(variance + eps) and x̂ = (x − mean) · s: by bias Σg, by weight Σ g x̂, by x
    weight · s · (g − Σg/M − x̂ Σ(g x̂)/M).
    """

    def infer(
        self, g: TensorType, x: TensorType, weight: TensorType, mean: TensorType, variance: TensorType
    ) -> tuple[TensorType, ...]:
        require(g == x, self, f"{g} and {x} differ")
        channel = self.check(x, weight, mean, variance)
        return x, channel, channel

    def vjp(
        self,
        gg: Sequence[Value | None],
        out: Sequence[Value],
        g: Value,
        x: Value,
        weight: Value,
        mean: Value,
        variance: Value,
    ) -> Cotangents:
        to_x, to_weight, to_bias = gg
        scale = _scale(variance, self.eps)
        centred = x - _along(mean, x)
        normal = centred * _along(scale, x)
        by_g = _along(to_bias, x) if to_bias is not None else None
        by_normal = by_weight = by_scale = None
        if to_weight is not None:
            by_g, by_normal = plus(normal * _along(to_weight, x), by_g), g * _along(to_weight, x)
        if to_x is not None:
            back = to_x * _along(weight * scale, x)
            by_g = plus(_without_statistics(back, normal), by_g)
            by_normal = plus(_by_normal(back, g, normal), by_normal)
            per_scale = _total(to_x * _without_statistics(g, normal))
            by_weight, by_scale = scale * per_scale, weight * per_scale
        if by_normal is None:
            return by_g, None, None, None, None
        by_x = by_normal * _along(scale, x)
        by_variance = _by_variance(plus(_total(by_normal * centred), by_scale), scale)
        return by_g, by_x, by_weight, -_total(by_x), by_variance


def _without_statistics(g: Value, normal: Value) -> Value:
    """g − Σg/M − x̂ Σ(g x̂)/M: g without its parts along 1 and x̂; a symmetric projection."""
    n = _count(g)
    return g - _along(_total(g) / n, g) - normal * _along(_total(g * normal) / n, g)


def _by_normal(back: Value, g: Value, normal: Value) -> Value:
    """The derivative of ⟨back, g − Σg/M − x̂ Σ(g x̂)/M⟩ by x̂."""
    n = _count(g)
    return -(back * _along(_total(g * normal) / n, g)) - g * _along(_total(back * normal) / n, g)


class BatchNormInference(Normalization):
    """(x, weight, bias, mean, variance) to y, with statistics that are given."""

    def infer(
        self, x: TensorType, weight: TensorType, bias: TensorType, mean: TensorType, variance: TensorType
    ) -> TensorType:
        self.check(x, weight, bias, mean, variance)
        return x

    def vjp(
        self, g: Value, y: Value, x: Value, weight: Value, bias: Value, mean: Value, variance: Value
    ) -> Cotangents:
        scale = _scale(variance, self.eps)
        by_x = g * _along(weight * scale, x)
        per_scale = _total(g * (x - _along(mean, x)))
        return by_x, per_scale * scale, _total(g), -_total(by_x), _by_variance(per_scale * weight, scale)


def _count(x: Value) -> Value:
    """How many elements a channel has, as a scalar."""
    return x.builder.size_of((x.shape[0], *x.shape[2:]), x.dtype)


def _scale(variance: Value, eps: float) -> Value:
    """s = 1/√(variance + eps)."""
    deviation: Value = Sqrt()(variance + eps)
    return 1.0 / deviation


def _by_variance(by_scale: Value, scale: Value) -> Value:
    """ds/dvariance = −s³/2, applied."""
    return by_scale * scale * scale * scale * -0.5


def _along(channel: Value, x: Value) -> Value:
    """A (C,) value repeated to the shape of x."""
    return channel.reshape((1, x.shape[1], *(1 for _ in x.shape[2:]))).broadcast_to(x.shape)


def _total(x: Value) -> Value:
    """The sum per channel."""
    return x.sum((0, *range(2, x.rank)))

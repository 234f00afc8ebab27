"""Layer normalization: Ba, Kiros and Hinton, "Layer Normalization" (2016), https://arxiv.org/abs/1607.06450.

Every sample is normalized by its own mean and biased variance over its last axes. Group and instance
normalization are the same on another shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tensor import TensorType
from .base import Cotangents, Operator, floating, plus, require
from .elementwise import Sqrt

if TYPE_CHECKING:
    from ..value import Value


class SampleNormalization(Operator, abstract=True):
    """x̂ = (x − mean) / √(variance + eps) over the last `axes` axes; weight and bias have their sizes."""

    axes: int
    eps: float

    def check(self, x: TensorType, *given: TensorType) -> TensorType:
        """The type that weight and bias have."""
        floating(self, x)
        require(1 <= self.axes <= x.rank, self, f"{x} has no {self.axes} last axes")
        wanted = x.of_shape(x.shape[-self.axes :])
        for found in given:
            require(found == wanted, self, f"needs {wanted} for {x}, got {found}")
        return wanted

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Per element: centre, scale and shift, and with them the sums that the statistics take."""
        return 8 * inputs[0].elements


class LayerNorm(SampleNormalization):
    """x̂ · weight + bias, or x̂ without them."""

    def infer(
        self, x: TensorType, weight: TensorType | None = None, bias: TensorType | None = None
    ) -> TensorType:
        require((weight is None) == (bias is None), self, "takes weight and bias, or neither")
        self.check(x, *(t for t in (weight, bias) if t is not None))
        return x

    def vjp(
        self, g: Value, y: Value, x: Value, weight: Value | None = None, bias: Value | None = None
    ) -> Cotangents:
        grad = LayerNormGrad(self.axes, self.eps)
        back: Cotangents = (grad(g, x),) if weight is None else grad(g, x, weight)
        return back


class LayerNormGrad(SampleNormalization):
    """The derivative of `LayerNorm`: (g, x, weight) to what goes back by x, weight and bias; (g, x) to by x.

    With M elements per sample, s = 1/√(variance + eps) and h = g · weight: by x it is s · P h with
    P h = h − Σh/M − x̂ Σ(h x̂)/M; by weight Σ g x̂ and by bias Σ g, over all samples.
    """

    def infer(
        self, g: TensorType, x: TensorType, weight: TensorType | None = None
    ) -> TensorType | tuple[TensorType, ...]:
        require(g == x, self, f"{g} and {x} differ")
        wanted = self.check(x, *(t for t in (weight,) if t is not None))
        return x if weight is None else (x, wanted, wanted)

    def vjp(
        self,
        gg: Value | Sequence[Value | None],
        out: Value | Sequence[Value],
        g: Value,
        x: Value,
        weight: Value | None = None,
    ) -> Cotangents:
        normal, scale = self._normalized(x)
        if weight is None:
            return self._by_x_alone(gg, g, x, normal, scale)  # type: ignore[arg-type]
        to_x, to_weight, to_bias = gg
        by_g = by_weight = by_x = by_normal = None
        if to_bias is not None:
            by_g = to_bias.broadcast_to(x.shape)
        if to_weight is not None:
            spread = to_weight.broadcast_to(x.shape)
            by_g, by_normal = plus(spread * normal, by_g), spread * g
        if to_x is not None:
            by_h, by_x = self._by_x_alone(to_x, g * weight.broadcast_to(x.shape), x, normal, scale)
            by_g = plus(by_h * weight.broadcast_to(x.shape), by_g)
            by_weight = (by_h * g).sum(range(x.rank - self.axes))
        if by_normal is not None:
            by_x = plus(self._back(by_normal, x), by_x)
        return by_g, by_x, by_weight

    def _by_x_alone(self, gg: Value, h: Value, x: Value, normal: Value, scale: Value) -> tuple[Value, Value]:
        """The derivative of ⟨gg, s · P h⟩ by h and by x. P is symmetric, and moves with x̂ and s."""
        by_h = self._back(gg, x)
        along = scale.broadcast_to(x.shape) * gg
        by_normal = -(along * self._mean(h * normal)) - h * self._mean(along * normal)
        # s moves with x too: ds/dx = −s² x̂ / M, times ⟨gg, P h⟩ = ⟨s P gg, h⟩ / s.
        by_scale = -(normal * scale.broadcast_to(x.shape) * self._mean(by_h * h))
        return by_h, self._back(by_normal, x) + by_scale

    def _back(self, h: Value, x: Value) -> Value:
        """s · P h."""
        back: Value = LayerNormGrad(self.axes, self.eps)(h, x)
        return back

    def _normalized(self, x: Value) -> tuple[Value, Value]:
        """x̂, and s with sizes of 1 on the normalized axes."""
        last = range(x.rank - self.axes, x.rank)
        centred = x - x.mean(last, keepdims=True)
        deviation: Value = Sqrt()(centred.square().mean(last, keepdims=True) + self.eps)
        scale = 1.0 / deviation
        return centred * scale, scale

    def _mean(self, x: Value) -> Value:
        """The mean of each sample, as often as it has elements."""
        return x.mean(range(x.rank - self.axes, x.rank), keepdims=True).broadcast_to(x.shape)

"""Convolution in one, two and three dimensions, and its two adjoints.

The three are one trilinear form ⟨g, x ∗ w⟩, read three ways: each derivative of one is another, so the
family is closed under differentiation. What the field calls convolution is a cross-correlation: the
kernel is not flipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import SizeError
from ..tensor import Shape, TensorType
from .base import Cotangents, require
from .window import Padding, Windowed

if TYPE_CHECKING:
    from ..value import Value


class Convolution(Windowed, abstract=True):
    """x (N, C, *spatial), w (O, C/groups, *kernel) and y = x ∗ w (N, O, *windows): attributes and types.

    Group k of the O output channels sees group k of the C input channels only.
    """

    dilation: tuple[int, ...]
    groups: int

    def correlate(self, x: TensorType, w: TensorType) -> TensorType:
        """The type of x ∗ w."""
        require(x.dtype is w.dtype, self, f"{x} and {w} differ in dtype")
        require(
            x.rank == w.rank >= 3, self, f"{x} and {w} are not (N, C, *spatial) and (O, C/groups, *kernel)"
        )
        require(self.groups >= 1, self, f"groups must be at least 1, got {self.groups}")
        channels, per_group, outputs = self._number(x, 1), self._number(w, 1), self._number(w, 0)
        fits = channels == per_group * self.groups and outputs % self.groups == 0 < outputs
        require(fits, self, f"the channels of {x} and {w} do not fit {self.groups} groups")
        kernel = tuple(self._number(w, axis) for axis in range(2, w.rank))
        return x.of_shape((x.shape[0], outputs, *self.window_sizes(x, kernel, self.dilation)))

    def _number(self, type: TensorType, axis: int) -> int:
        size = type.shape[axis]
        if isinstance(size, str):
            raise SizeError(f"{self.name} needs a number for {size!r} in {type}")
        return size


class Conv(Convolution):
    """x ∗ w, plus bias (O,) per output channel if there is one."""

    def infer(self, x: TensorType, w: TensorType, bias: TensorType | None = None) -> TensorType:
        y = self.correlate(x, w)
        if bias is not None:
            require(bias == y.of_shape((y.shape[1],)), self, f"bias {bias} does not fit the output {y}")
        return y

    def vjp(self, g: Value, y: Value, x: Value, w: Value, bias: Value | None = None) -> Cotangents:
        by_x = ConvInputGrad(*_attributes(self), x.shape[2:])(g, w)
        by_w = ConvWeightGrad(*_attributes(self), w.type.of_shape(w.shape[2:]).static)(x, g)
        return (by_x, by_w) if bias is None else (by_x, by_w, g.sum((0, *range(2, g.rank))))

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return _multiply_adds(outputs[0], inputs[1]) + (outputs[0].elements if len(inputs) == 3 else 0)


class ConvInputGrad(Convolution):
    """The derivative of ⟨g, x ∗ w⟩ by x, whose spatial sizes are `spatial`."""

    spatial: Shape

    def infer(self, g: TensorType, w: TensorType) -> TensorType:
        require(
            g.rank == w.rank >= 3, self, f"{g} and {w} are not (N, O, *windows) and (O, C/groups, *kernel)"
        )
        x = g.of_shape((g.shape[0], self._number(w, 1) * self.groups, *self.spatial))
        y = self.correlate(x, w)
        require(y == g, self, f"the convolution of {x} with {w} is {y}, not {g}")
        return x

    def vjp(self, gg: Value, out: Value, g: Value, w: Value) -> Cotangents:
        kernel = w.type.of_shape(w.shape[2:]).static
        return Conv(*_attributes(self))(gg, w), ConvWeightGrad(*_attributes(self), kernel)(gg, g)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return _multiply_adds(*inputs)


class ConvWeightGrad(Convolution):
    """The derivative of ⟨g, x ∗ w⟩ by w, whose spatial sizes are `kernel`."""

    kernel: tuple[int, ...]

    def infer(self, x: TensorType, g: TensorType) -> TensorType:
        require(x.rank == g.rank >= 3, self, f"{x} and {g} are not (N, C, *spatial) and (N, O, *windows)")
        require(self.groups >= 1, self, f"groups must be at least 1, got {self.groups}")
        w = g.of_shape((g.shape[1], self._number(x, 1) // self.groups, *self.kernel))
        y = self.correlate(x, w)
        require(y == g, self, f"the convolution of {x} with {w} is {y}, not {g}")
        return w

    def vjp(self, gg: Value, out: Value, x: Value, g: Value) -> Cotangents:
        return ConvInputGrad(*_attributes(self), x.shape[2:])(g, gg), Conv(*_attributes(self))(x, gg)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return _multiply_adds(inputs[1], outputs[0])


def _attributes(op: Convolution) -> tuple[tuple[int, ...], Padding, tuple[int, ...], int]:
    return op.stride, op.padding, op.dilation, op.groups


def _multiply_adds(y: TensorType, w: TensorType) -> int:
    return 2 * y.elements * math.prod(w.static[1:])

"""Pooling over sliding windows in one, two and three dimensions, and its adjoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tensor import DType, Shape, TensorType
from .base import Cotangents, require
from .window import Padding, Windowed, all_covered

if TYPE_CHECKING:
    from ..value import Value


class Pooling(Windowed, abstract=True):
    """Windows of `kernel` elements over the spatial axes of x (N, C, *spatial); y is (N, C, *windows)."""

    kernel: tuple[int, ...]

    @property
    def spacing(self) -> tuple[int, ...]:
        """The distance of a window's elements along each spatial axis."""
        return (1,) * len(self.kernel)

    def pool(self, x: TensorType) -> TensorType:
        """The type of y; every window must cover an element of x (known once its sizes are numbers)."""
        y = x.of_shape((*x.shape[:2], *self.window_sizes(x, self.kernel, self.spacing)))
        windows = zip(self.kernel, self.stride, self.padding, self.spacing, strict=True)
        for size, window in zip(x.shape[2:], windows, strict=True):
            covered = isinstance(size, str) or all_covered(size, *window)
            require(covered, self, f"a window over {x} covers padding alone")
        return y

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """One operation for each element of each window."""
        return outputs[0].elements * math.prod(self.kernel)


class MaxPooling(Pooling, abstract=True):
    """Windows of which one element is taken; theirs lie `dilation` apart."""

    dilation: tuple[int, ...]

    @property
    def spacing(self) -> tuple[int, ...]:
        return self.dilation


class MaxPool(MaxPooling):
    """The largest element of each window, and its place as int64, counted in C order over x's spatial axes.

    Padding never wins. Of equal elements the first wins. A NaN wins over all numbers (of several, the last).
    """

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        y = self.pool(x)
        return y, y.of_dtype(DType.int64)

    def vjp(self, g: tuple[Value, None], y: tuple[Value, Value], x: Value) -> Cotangents:
        grad = MaxPoolGrad(self.stride, self.padding, self.kernel, self.dilation, x.shape[2:])
        return (grad(g[0], y[1]),)


class MaxPoolGrad(MaxPooling):
    """The adjoint of `MaxPool` at its indices: zeros (N, C, *spatial), with each g added at its index.

    The indices may be any that lie within the spatial axes; the windows say how many there are.
    """

    spatial: Shape

    def infer(self, g: TensorType, indices: TensorType) -> TensorType:
        require(
            indices == g.of_dtype(DType.int64),
            self,
            f"needs indices {g.of_dtype(DType.int64)}, got {indices}",
        )
        x = g.of_shape((*g.shape[:2], *self.spatial))
        y = self.pool(x)
        require(y == g, self, f"the windows of {x} make {y}, not {g}")
        return x

    def vjp(self, gg: Value, out: Value, g: Value, indices: Value) -> Cotangents:
        chosen: Value = MaxPoolGather(self.stride, self.padding, self.kernel, self.dilation)(gg, indices)
        return chosen, None

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return inputs[0].elements


class MaxPoolGather(MaxPooling):
    """The elements of x at `MaxPool`'s indices, counted over the spatial axes: the adjoint of its adjoint.

    It is Gather over the spatial axes as one, which may have named sizes here.
    """

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        y = self.pool(x)
        require(indices == y.of_dtype(DType.int64), self, f"the windows of {x} make {y}, not {indices}")
        return y

    def vjp(self, g: Value, y: Value, x: Value, indices: Value) -> Cotangents:
        grad = MaxPoolGrad(self.stride, self.padding, self.kernel, self.dilation, x.shape[2:])
        return grad(g, indices), None

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return 0


class AveragePooling(Pooling, abstract=True):
    """Windows that are averaged; padding counts as zeros, or not at all if `count_include_pad` is false."""

    count_include_pad: bool


class AvgPool(AveragePooling):
    """The mean of each window."""

    def infer(self, x: TensorType) -> TensorType:
        return self.pool(x)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (AvgPoolGrad(*_attributes(self), x.shape[2:])(g),)


class AvgPoolGrad(AveragePooling):
    """The adjoint of `AvgPool`: each g, divided by its window's count, added to the whole window."""

    spatial: Shape

    def infer(self, g: TensorType) -> TensorType:
        x = g.of_shape((*g.shape[:2], *self.spatial))
        y = self.pool(x)
        require(y == g, self, f"the windows of {x} make {y}, not {g}")
        return x

    def vjp(self, gg: Value, out: Value, g: Value) -> Cotangents:
        return (AvgPool(*_attributes(self))(gg),)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return inputs[0].elements * math.prod(self.kernel)


def _attributes(op: AveragePooling) -> tuple[tuple[int, ...], Padding, tuple[int, ...], bool]:
    return op.stride, op.padding, op.kernel, op.count_include_pad

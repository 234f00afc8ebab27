"""Resampling along one axis: each place of the result is a weighted sum of neighbouring places of x.

Where a place lies in x, and what its neighbours weigh, is as ONNX's operator Resize (version 19) defines it,
https://onnx.ai/onnx/operators/onnx__Resize.html; several axes are resampled one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..tensor import Size, TensorType
from .base import Cotangents, Operator, floating, require

if TYPE_CHECKING:
    from ..value import Value

NEIGHBOURS = {"nearest": 1, "linear": 2, "cubic": 4, "area": 4}
"""The kernels, with about how many places they weigh. "area" is the mean of those that a place covers."""

COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "asymmetric",
    "align_corners",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
)
"""How a place of the result is mapped into x; "area" has one way only."""

ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
"""Which place is nearest."""


class Resampling(Operator, abstract=True):
    """`size` places along `axis` for each place that is there; the others are attributes of ONNX's Resize.

    What is not finite may reach more places than those it is a neighbour of: 0 · ∞ is NaN.
    """

    axis: int
    size: Size
    kernel: str
    coordinates: str = "half_pixel"
    scale: float = 0.0  # places of the result per place of x; 0: as the sizes have it
    rounding: str = "round_prefer_floor"  # of "nearest"
    coefficient: float = -0.75  # of "cubic"
    antialias: bool = False  # widen the kernel where the result has fewer places
    exclude_outside: bool = False  # neighbours outside of x weigh nothing; else the edge stands for them
    begin: float = 0.0  # of "tf_crop_and_resize": where the crop begins and ends, with x from 0 to 1
    end: float = 1.0
    zero_outside: bool = False  # places that lie outside of x are 0

    def resized(self, x: TensorType) -> TensorType:
        """x with `size` places along `axis`."""
        require(0 <= self.axis < x.rank, self, f"axis {self.axis} does not exist in {x}")
        require(self.kernel in NEIGHBOURS, self, f"kernel {self.kernel!r} is none of {[*NEIGHBOURS]}")
        require(self.coordinates in COORDINATES, self, f"coordinates {self.coordinates!r} are unknown")
        require(self.rounding in ROUNDINGS, self, f"rounding {self.rounding!r} is none of {ROUNDINGS}")
        numbers = (self.scale, self.coefficient, self.begin, self.end)
        require(all(map(math.isfinite, numbers)), self, "its numbers must be finite")
        require(self.scale >= 0, self, f"scale {self.scale} is negative")
        require(0 not in (x.shape[self.axis], self.size), self, f"axis {self.axis} of {x} needs places")
        moves = self.kernel == "nearest" and not self.zero_outside
        require(x.dtype.is_floating or moves, self, f"needs floating-point numbers, got {x}")
        return x.of_shape((*x.shape[: self.axis], self.size, *x.shape[self.axis + 1 :]))

    def check_scale(self, length: Size, size: Size) -> None:
        """Where it widens the kernel, the scale must about be what makes `size` places of `length`."""
        if self.antialias and self.scale and isinstance(length, int) and isinstance(size, int):
            fits = size <= 4 * self.scale * length
            require(fits, self, f"scale {self.scale} does not make {size} places of {length}")

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        """Each place of the longer axis is weighed with its neighbours."""
        longer = max(inputs[0].elements, outputs[0].elements)
        return 2 * longer * NEIGHBOURS[self.kernel]

    def attributes(self) -> tuple[str, str, float, str, float, bool, bool, float, float, bool]:
        """All but axis and size."""
        _, _, *others = vars(self).values()
        return tuple(others)


class Resample(Resampling):
    """x resampled along `axis`."""

    def infer(self, x: TensorType) -> TensorType:
        y = self.resized(x)
        self.check_scale(x.shape[self.axis], self.size)
        return y

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (ResampleGrad(self.axis, x.shape[self.axis], *self.attributes())(g),)


class ResampleGrad(Resampling):
    """The adjoint of `Resample`: each g, weighed, added to the neighbours it came from. `size` is x's."""

    def infer(self, g: TensorType) -> TensorType:
        x = self.resized(floating(self, g))
        self.check_scale(self.size, g.shape[self.axis])
        return x

    def vjp(self, gg: Value, out: Value, g: Value) -> Cotangents:
        return (Resample(self.axis, g.shape[self.axis], *self.attributes())(gg),)

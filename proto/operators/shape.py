"""Operators that move elements without computing: cast, broadcast, reshape, transpose, slice, pad, join."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import SizeError
from ..tensor import DType, Shape, Size, TensorType, split_product
from .base import Cotangents, Operator, filled, require

if TYPE_CHECKING:
    from ..value import Value


class Movement(Operator, abstract=True):
    """Moves elements; costs no floating-point operations."""

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return 0


class Cast(Movement):
    """The same values in another dtype; floating-point to integer truncates toward zero."""

    dtype: DType

    def infer(self, x: TensorType) -> TensorType:
        return x.of_dtype(self.dtype)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g.astype(x.dtype) if x.dtype.is_floating else None,)


class StopGradient(Movement):
    """x itself, as a constant to whoever differentiates."""

    free = True

    def infer(self, x: TensorType) -> TensorType:
        return x

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (None,)


class Broadcast(Movement):
    """x repeated along its axes of size 1 and along new leading axes, to `shape`."""

    shape: Shape
    free = True

    def infer(self, x: TensorType) -> TensorType:
        pairs = zip(x.shape, self.shape[len(self.shape) - x.rank :], strict=False)
        fits = len(self.shape) >= x.rank and all(a in (1, b) for a, b in pairs)
        require(fits, self, f"{x} does not broadcast to {self.shape}")
        return x.of_shape(self.shape)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        new = y.rank - x.rank
        repeated = [i + new for i, (a, b) in enumerate(zip(x.shape, y.shape[new:], strict=True)) if a != b]
        return (g.sum((*range(new), *repeated)).reshape(x.shape),)


class Reshape(Movement):
    """The same elements, in C order, in another shape."""

    shape: Shape
    free = True

    def infer(self, x: TensorType) -> TensorType:
        require(
            split_product(x.shape) == split_product(self.shape),
            self,
            f"{x} and {self.shape} do not have the same number of elements",
        )
        return x.of_shape(self.shape)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g.reshape(x.shape),)


def missing_size(source: TensorType, shape: Shape) -> Shape:
    """`shape` with its one -1 replaced by what the element count of `source` leaves for it."""
    at = shape.index(-1)
    rest = (*shape[:at], *shape[at + 1 :])
    if -1 in rest:
        raise SizeError(f"Reshape of {source} to {shape}: only one size can be -1")
    return (*shape[:at], _quotient(source, rest), *shape[at + 1 :])


def _quotient(source: TensorType, rest: Shape) -> Size:
    number, names = split_product(source.shape)
    divisor, given = split_product(rest)
    left = list(names)
    for name in given:
        if name not in left:
            raise SizeError(f"Reshape of {source}: size {name!r} does not divide it; give a number for it")
        left.remove(name)
    whole = divisor and number % divisor == 0
    if whole and not left:
        return number // divisor
    if number == divisor and len(left) == 1:
        return left[0]
    raise SizeError(
        f"Reshape of {source} to a shape with {rest}: -1 cannot be expressed; give numbers for {left}"
    )


class Transpose(Movement):
    """The axes of x in the order `axes`."""

    axes: tuple[int, ...]
    free = True

    def infer(self, x: TensorType) -> TensorType:
        require(sorted(self.axes) == list(range(x.rank)), self, f"{self.axes} is no order of the axes of {x}")
        return x.of_shape(x.shape[a] for a in self.axes)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        inverse = sorted(range(len(self.axes)), key=lambda i: self.axes[i])
        return (g.transpose(inverse),)


class Flip(Movement):
    """The elements in reverse order along `axes`, whose sizes may be names."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        require(x.axes(self.axes) == self.axes, self, f"axes {self.axes} are not sorted and from the front")
        return x

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (self(g),)


class Roll(Movement):
    """The elements moved `shift` places on along `axis`; those that leave at one end come in at the other."""

    axis: int
    shift: int

    def infer(self, x: TensorType) -> TensorType:
        require(0 <= self.axis < x.rank, self, f"axis {self.axis} does not exist in {x}")
        return x

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (Roll(self.axis, -self.shift)(g),)


class Slice(Movement):
    """Elements start, start+step, … (count of them) along each axis; steps may be negative.

    An axis is described by (start, count, step). An axis of named size is taken whole, with the name
    as its count, or from places counted from its front, which are checked when the name is bound.
    """

    start: tuple[int, ...]
    count: Shape
    step: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        lengths = {len(self.start), len(self.count), len(self.step), x.rank}
        require(len(lengths) == 1, self, f"start, count and step must have {x.rank} elements for {x}")
        for axis, parts in enumerate(zip(x.shape, self.start, self.count, self.step, strict=True)):
            why = f"axis {axis} of {x} has no elements {parts[1:]} (start, count, step)"
            require(_inside(*parts), self, f"{why}; where fewer will do, give a number for the size")
        return x.of_shape(self.count)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (SliceGrad(x.shape, self.start, self.step)(g),)


def _inside(size: Size, start: int, count: Size, step: int) -> bool:
    if isinstance(count, str):
        return size == count and start == 0 and step == 1
    if step == 0 or count == 0:
        return step != 0
    low, high = sorted((start, start + (count - 1) * step))
    return low >= 0 and (isinstance(size, str) or high < size)


class SliceGrad(Movement):
    """Zeros of `shape`, with g at the places that `Slice` reads."""

    shape: Shape
    start: tuple[int, ...]
    step: tuple[int, ...]

    def infer(self, g: TensorType) -> TensorType:
        Slice(self.start, g.shape, self.step).infer(g.of_shape(self.shape))
        return g.of_shape(self.shape)

    def vjp(self, gg: Value, out: Value, g: Value) -> Cotangents:
        return (Slice(self.start, g.shape, self.step)(gg),)


class Pad(Movement):
    """x with `before` and `after` elements of `value` added to each axis."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: float = 0.0

    def infer(self, x: TensorType) -> TensorType:
        require(
            len(self.before) == len(self.after) == x.rank, self, f"needs {x.rank} pairs of widths for {x}"
        )
        require(
            min((*self.before, *self.after), default=0) >= 0, self, "widths cannot be negative: use Slice"
        )
        require(x.dtype.holds(self.value), self, f"{x} cannot hold {self.value}")
        return x.of_shape(map(self._size, x.shape, self.before, self.after))

    def _size(self, size: Size, before: int, after: int) -> Size:
        if isinstance(size, str) and (before or after):
            raise SizeError(
                f"Pad cannot express the size {size!r} + {before + after}; give a number for {size!r}"
            )
        return size + before + after if isinstance(size, int) else size

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (Slice(self.before, x.shape, (1,) * x.rank)(g),)


class Concatenate(Movement):
    """Inputs joined along `axis`, along which their sizes are numbers."""

    axis: int

    def infer(self, *xs: TensorType) -> TensorType:
        first = xs[0]
        require(0 <= self.axis < first.rank, self, f"axis {self.axis} does not exist in {first}")
        for x in xs:
            same_rest = x.dtype is first.dtype and x.rank == first.rank
            same_rest = same_rest and x.without((self.axis,)) == first.without((self.axis,))
            require(same_rest, self, f"{x} does not join {first} along axis {self.axis}")
        sizes = [x.shape[self.axis] for x in xs]
        if len(sizes) > 1 and any(isinstance(s, str) for s in sizes):
            raise SizeError(
                f"Concatenate cannot add the sizes {sizes} of axis {self.axis}; give numbers for them"
            )
        total = sizes[0] if len(sizes) == 1 else sum(s for s in sizes if isinstance(s, int))
        return first.of_shape((*first.shape[: self.axis], total, *first.shape[self.axis + 1 :]))

    def vjp(self, g: Value, y: Value, *xs: Value) -> Cotangents:
        if len(xs) == 1:
            return (g,)
        sizes = tuple(s for x in xs if isinstance(s := x.shape[self.axis], int))
        return tuple(_all(Split(self.axis, sizes)(g)))


class Split(Movement):
    """x cut along `axis` into pieces of the given sizes."""

    axis: int
    sizes: tuple[int, ...]

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require(0 <= self.axis < x.rank, self, f"axis {self.axis} does not exist in {x}")
        if isinstance(x.shape[self.axis], str):
            raise SizeError(
                f"Split cannot cut axis {self.axis} of {x}; give a number for {x.shape[self.axis]!r}"
            )
        whole = sum(self.sizes) == x.shape[self.axis] and min(self.sizes, default=-1) >= 0
        require(whole, self, f"sizes {self.sizes} do not make up axis {self.axis} of {x}")
        return tuple(x.of_shape((*x.shape[: self.axis], s, *x.shape[self.axis + 1 :])) for s in self.sizes)

    def vjp(self, g: Any, y: Any, x: Value) -> Cotangents:
        outputs = _all(y)
        present = [a if a is not None else filled(b, 0) for a, b in zip(_all(g), outputs, strict=True)]
        return (Concatenate(self.axis)(*present),)


def _all(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)

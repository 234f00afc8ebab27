"""Axes that stand for a product of sizes, like those of a view of (16, N, 8) as (16, 2·N, 4).

A graph has no size 2·N. Such a value keeps the factors as axes of its own, and what only moves whole axes, or
computes along others, looks through it: multi-head attention joins the batch with its heads and takes them
apart again. Any other operator refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from raygrad.proto.errors import SizeError
from raygrad.proto.operators.linear import MatMul
from raygrad.proto.tensor import Shape, Size, split_product
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, Scalar
from .shapes import VIEWS


@dataclass(frozen=True)
class Factored:
    """A value of which several axes, next to each other, make one axis of torch's tensor."""

    value: Value
    groups: tuple[int, ...]  # how many axes of the value make each of torch's

    def permuted(self, order: Sequence[int]) -> Factored:
        """Torch's axes in another order."""
        axes = list(range(self.value.rank))
        ends = [0, *accumulate(self.groups)]
        whole = [a for i in order for a in axes[ends[i] : ends[i + 1]]]
        return Factored(self.value.transpose(whole), tuple(self.groups[i] for i in order))


def view(x: Value | Factored, shape: Sequence[Shape]) -> Value | Factored:
    """The elements of x in C order, in a shape of which each size is given by its factors."""
    value = x if isinstance(x, Value) else x.value
    left = [size for size in value.shape if size != 1]
    axes = [_joined(_taken(left, factors, value)) for factors in shape]
    if left:
        raise _inexpressible(value, shape)
    reshaped = value.reshape([size for sizes in axes for size in sizes])
    groups = tuple(map(len, axes))
    return reshaped if all(count == 1 for count in groups) else Factored(reshaped, groups)


def _taken(left: list[Size], factors: Shape, value: Value) -> list[Size]:
    """The sizes, from the front of those that are left, whose product is that of the factors."""
    number, names = split_product(factors)
    missing, found = list(names), list[Size]()
    while number != 1 or missing:
        size = left.pop(0) if left else 0
        if size in missing:
            missing.remove(str(size))
        elif isinstance(size, int) and size and number % size == 0:
            number //= size
        elif isinstance(size, int) and size and number > 1 and size % number == 0:
            left.insert(0, size // number)
            size, number = number, 1
        else:
            raise _inexpressible(value, [factors])
        found.append(size)
    return found


def _joined(sizes: list[Size]) -> list[Size]:
    """Numbers alone make one axis."""
    numbers = [size for size in sizes if isinstance(size, int)]
    return [math.prod(numbers)] if len(numbers) == len(sizes) else sizes


def _inexpressible(value: Value, shape: Sequence[Shape]) -> SizeError:
    shown = ", ".join("·".join(map(str, factors)) or "1" for factors in shape)
    return SizeError(f"{value.type} cannot be seen as ({shown}): export with numbers for its symbols")


# -- the operators that look through --------------------------------------------------------------


def _view(call: Call, x: Value | Factored, *_: Any) -> Value | Factored:
    return view(x, call.factors())


def _permute(call: Call, x: Factored, axes: Sequence[int]) -> Factored:
    return x.permuted([a % len(x.groups) for a in axes])


def _transpose(call: Call, x: Factored, first: int, second: int) -> Factored:
    order = list(range(len(x.groups)))
    order[first], order[second] = order[second], order[first]
    return x.permuted(order)


def _same(call: Call, x: Factored, *_: Any, **__: Any) -> Factored:
    return x


def _linear(call: Call, x: Factored, weight: Value, bias: Value | None = None) -> Factored:
    product: Value = MatMul(transpose_b=True)(x.value, weight)
    return Factored(product if bias is None else product + bias, x.groups)


def _bmm(call: Call, a: Factored, b: Factored) -> Factored:
    return Factored(a.value @ b.value, a.groups)


def _scaled(call: Call, x: Factored | Value, factor: Scalar | Value | Factored) -> Factored:
    if not isinstance(x, Factored) or isinstance(factor, (Value, Factored)):
        raise SizeError("multiplies a value of which a size is a product by another than a number")
    return Factored(x.value * call.value(factor, x.value.dtype), x.groups)


def _softmax(call: Call, x: Factored, axis: int, _: Any = None) -> Factored:
    if axis % len(x.groups) != len(x.groups) - 1:
        raise SizeError("softmax along another axis than the last: export with numbers for the symbols")
    return Factored(f.softmax(x.value), x.groups)


LOOKS_THROUGH: dict[str, Callable[..., Any]] = {
    **dict.fromkeys((f"aten.{name}" for name in VIEWS), _view),
    "aten.permute.default": _permute,
    "aten.transpose.int": _transpose,
    "aten.clone.default": _same,
    "aten.contiguous.default": _same,
    "aten.linear.default": _linear,
    "aten.bmm.default": _bmm,
    "aten.mul.Scalar": _scaled,
    "aten.mul.Tensor": _scaled,
    "aten.softmax.int": _softmax,
}
"""Overloads that take a `Factored`, or may give one."""

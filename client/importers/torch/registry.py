"""The table of ATen operators: how each is written on values.

A translation takes the `Call` and the operator's arguments in the order of its schema, with tensors as
values, symbolic sizes as names or counts, dtypes as ours; it returns a value, or a tuple with `None` for
outputs that cannot be had. The family modules fill the table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from raygrad.proto.builder import Builder
from raygrad.proto.promotion import promote
from raygrad.proto.tensor import DType, Shape, TensorType
from raygrad.proto.value import Value

from .sizes import Count, Inexpressible

Translation = Callable[..., Any]
Entered = TypeVar("Entered", bound=Translation)
Scalar = bool | int | float | str | Count
"""A number of a call: a Python number, a named size, or a product of sizes."""

TABLE: dict[str, Translation] = {}


def aten(*overloads: str) -> Callable[[Entered], Entered]:
    """Enter a translation for overloads like "relu.default"."""

    def enter(translation: Entered) -> Entered:
        for overload in overloads:
            if TABLE.setdefault(f"aten.{overload}", translation) is not translation:
                raise ValueError(f"two translations of aten.{overload}")
        return translation

    return enter


@dataclass(frozen=True)
class Call:
    """One node of an exported program: where its values are written, and what they must come out as."""

    builder: Builder
    infer: Callable[[], tuple[TensorType | None, ...]]  # fails if a size has no expression
    factors: Callable[[], tuple[Shape, ...]]  # of each size of the first output

    @functools.cached_property
    def types(self) -> tuple[TensorType | None, ...]:
        """The types of the outputs, as torch says; `None` for outputs that are no tensors."""
        return self.infer()

    @property
    def out(self) -> TensorType:
        """The type of the first output."""
        found = self.types[0]
        assert found is not None
        return found

    @property
    def shape(self) -> Shape:
        """The shape of the first output."""
        return self.out.shape

    def value(self, operand: Value | Scalar, dtype: DType) -> Value:
        """A tensor or number as a value of `dtype`."""
        if isinstance(operand, Value):
            return operand.astype(dtype)
        if isinstance(operand, Inexpressible):
            raise operand.error()
        if isinstance(operand, (str, Count)):
            return self.builder.size_of(operand.sizes if isinstance(operand, Count) else (operand,), dtype)
        return self.builder.constant(np.asarray(operand).astype(dtype.numpy))

    def operands(self, *operands: Value | Scalar) -> tuple[Value, ...]:
        """Tensors and numbers as values of the output's dtype."""
        return tuple(self.value(o, self.out.dtype) for o in operands)

    def promoted(self, *operands: Value | Scalar) -> tuple[Value, ...]:
        """Tensors and numbers as values of the dtype in which torch compares them."""
        dtype = _common(operands)
        return tuple(self.value(o, dtype) for o in operands)

    def full(self, number: Value | Scalar, shape: Shape, dtype: DType) -> Value:
        """A number in every place."""
        return self.value(number, dtype).broadcast_to(shape)


def _common(operands: tuple[Value | Scalar, ...]) -> DType:
    """Torch's rule: scalars, and then numbers, count only if of a higher kind than what is before."""
    tensors = [o for o in operands if isinstance(o, Value)]
    ranked = [v.dtype for v in tensors if v.rank]
    scalars = [v.dtype for v in tensors if not v.rank]
    numbers = [_of_number(o) for o in operands if not isinstance(o, Value)]
    found: DType | None = None
    for group in (ranked, scalars, numbers):
        if group:
            wanted = functools.reduce(_higher, group)
            found = wanted if found is None or _kind(wanted) > _kind(found) else found
    assert found is not None
    return found


def _of_number(number: Scalar) -> DType:
    if isinstance(number, bool):
        return DType.bool
    return DType.float32 if isinstance(number, float) else DType.int64


def _kind(dtype: DType) -> int:
    return 2 if dtype.is_floating else 1 if dtype.is_integer else 0


def _higher(a: DType, b: DType) -> DType:
    """The dtype that two tensors promote to: of different kinds, the higher one."""
    if _kind(a) != _kind(b):
        return max(a, b, key=_kind)
    return promote(a, b)

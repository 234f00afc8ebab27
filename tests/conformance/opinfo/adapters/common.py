"""What adapters share: functions found by name when called, axes and dtypes as PyTorch gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from raygrad.client import functions as f
from raygrad.proto.value import Operand, Value
from tests.conformance.suite import Declined

Adapter = Callable[..., Any]
Dim = int | Sequence[int] | None


def unary(name: str) -> Adapter:
    """The function of one value that has this name."""

    def call(x: Value) -> Value:
        return getattr(f, name)(x)

    return call


def binary(name: str) -> Adapter:
    """The function of two operands that has this name."""

    def call(x: Operand, y: Operand) -> Value:
        return getattr(f, name)(x, y)

    return call


def axes_of(x: Value, dim: Dim) -> Dim:
    """Axes; PyTorch lets a scalar have an axis, and reads no axes as all."""
    if dim is None or dim in ((), []):
        return None
    return () if x.rank == 0 else dim


def axis_of(x: Value, dim: int) -> int:
    """One axis, which a scalar does not have."""
    if x.rank == 0:
        raise Declined("an axis of a scalar")
    return dim


def dtype_of(dtype: torch.dtype) -> str:
    """The name of a dtype."""
    if dtype.is_complex:
        raise Declined("complex numbers")
    return str(dtype).removeprefix("torch.")


def cast(x: Value, dtype: torch.dtype | None) -> Value:
    return x if dtype is None else x.astype(dtype_of(dtype))


def numbers(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes given one by one or as one sequence."""
    if len(sizes) == 1 and not isinstance(sizes[0], int):
        return tuple(sizes[0])
    return tuple(sizes)

"""Checking indices, which only a kernel can do: their values are known at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raygrad.proto.tensor import DType

from ..base import Site
from .movement import namespace_dtype


def checked(site: Site, size: int) -> Callable[[Any], Any]:
    """The function that returns indices as int64, and raises `ValueError` if one is outside of [0, size)."""
    xp, int64 = site.xp, namespace_dtype(site, DType.int64)

    def check(indices: Any) -> Any:
        wide = xp.astype(indices, int64, copy=False)
        if 0 in wide.shape:
            return wide
        require_within(size, int(xp.min(wide)), int(xp.max(wide)))
        return wide

    return check


def require_within(size: int, low: int, high: int) -> None:
    """`ValueError` unless the lowest and the highest index lie in [0, size)."""
    if low < 0 or high >= size:
        raise ValueError(f"indices from {low} to {high} do not all lie within 0 to {size - 1}")
